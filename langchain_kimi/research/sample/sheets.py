"""Pages of a PDF, drawn with PDFium: headings, lines of text, tables, bars."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from pypdfium2 import raw

_WIDTH, _HEIGHT, _LEFT = 420.0, 400.0, 40.0
_INK, _BLUE, _PALE, _WHITE = (35, 35, 40), (34, 87, 122), (226, 236, 242), (255, 255, 255)
_COLUMN = 80.0


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first one the heads."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Bars:
    """A chart of bars."""

    title: str
    values: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Sheet:
    """A page: its title, then lines (headings begin with `# `), tables and charts."""

    title: str
    parts: tuple[str | Table | Bars, ...]


def write_pdf(path: Path, sheets: Sequence[Sheet]) -> None:
    """Write pages into a file."""
    document = pdfium.PdfDocument.new()
    for number, sheet in enumerate(sheets, start=1):
        pen = _Pen(document)
        pen.draw(sheet, f"Page {number} of {len(sheets)}")
        pen.close()
    document.save(path)
    document.close()


class _Pen:
    """Draws on a page from its top down."""

    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self._page = document.new_page(_WIDTH, _HEIGHT)
        self._y = _HEIGHT

    def close(self) -> None:
        self._page.gen_content()
        self._page.close()

    def draw(self, sheet: Sheet, footer: str) -> None:
        self._box(0, _HEIGHT - 54, _WIDTH, 54, _BLUE)
        self._text(_LEFT, _HEIGHT - 34, sheet.title, 16, colour=_WHITE, bold=True)
        self._y = _HEIGHT - 84
        for part in sheet.parts:
            if isinstance(part, Table):
                self._table(part)
            elif isinstance(part, Bars):
                self._bars(part)
            else:
                self._line(part)
        self._text(_LEFT, 24, footer, 8)

    def _line(self, line: str) -> None:
        is_head = line.startswith("# ")
        self._y -= 8 if is_head else 0
        shown, size = (line[2:], 12.0) if is_head else (line, 10.0)
        self._text(_LEFT, self._y, shown, size, colour=_BLUE if is_head else _INK, bold=is_head)
        self._y -= 20

    def _table(self, table: Table) -> None:
        width = 150 + _COLUMN * (len(table.rows[0]) - 1)
        for number, row in enumerate(table.rows):
            if number % 2 == 0:
                self._box(_LEFT - 6, self._y - 5, width, 17, _PALE)
            for column, cell in enumerate(row):
                left = _LEFT + (150 + _COLUMN * (column - 1) if column else 0)
                self._text(left, self._y, cell, 9.5, bold=number == 0)
            self._y -= 17
        self._y -= 10

    def _bars(self, bars: Bars) -> None:
        self._text(_LEFT, self._y, bars.title, 9.5, bold=True)
        longest = max(value for _, value in bars.values)
        for name, value in bars.values:
            self._y -= 20
            self._text(_LEFT, self._y, name, 9)
            length = 220 * value / longest
            self._box(_LEFT + 50, self._y - 3, length, 13, _BLUE)
            self._text(_LEFT + 56 + length, self._y, f"{value:,}", 9)
        self._y -= 28

    def _box(
        self, x: float, y: float, width: float, height: float, colour: tuple[int, int, int]
    ) -> None:
        box = raw.FPDFPageObj_CreateNewRect(x, y, width, height)
        raw.FPDFPageObj_SetFillColor(box, *colour, 255)
        raw.FPDFPath_SetDrawMode(box, raw.FPDF_FILLMODE_WINDING, 0)
        raw.FPDFPage_InsertObject(self._page.raw, box)

    def _text(
        self,
        x: float,
        y: float,
        line: str,
        size: float,
        *,
        colour: tuple[int, int, int] = _INK,
        bold: bool = False,
    ) -> None:
        font = b"Helvetica-Bold" if bold else b"Helvetica"
        text: Any = raw.FPDFPageObj_NewTextObj(self._document.raw, font, size)
        encoded = line.encode("utf-16-le") + b"\0\0"
        letters = (ctypes.c_ushort * (len(encoded) // 2)).from_buffer_copy(encoded)
        raw.FPDFText_SetText(text, letters)
        raw.FPDFPageObj_SetFillColor(text, *colour, 255)
        raw.FPDFPageObj_Transform(text, 1, 0, 0, 1, x, y)
        raw.FPDFPage_InsertObject(self._page.raw, text)
