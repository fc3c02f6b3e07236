"""Words of a PDF page with boxes and fonts, from its text layer."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from langchain_kimi.rag.geometry import Box, union

_WORD = re.compile(r"\S+")
_HYPHEN = "\ufffe"
_BOLD = re.compile(r"bold|black|heavy|semibold|demi", re.IGNORECASE)
_LIMIT = 60_000


@dataclass(frozen=True, slots=True)
class Word:
    """One word as printed."""

    text: str
    box: Box
    size: float = 10.0
    bold: bool = False


class PageFrame:
    """Maps PDF space (origin at the bottom left, unrotated) to displayed points."""

    _SCALE = 64

    def __init__(self, page: pdfium.PdfPage) -> None:
        self.width, self.height = page.get_size()
        origin = self._device(page, 0.0, 0.0)
        right = self._device(page, 1000.0, 0.0)
        upper = self._device(page, 0.0, 1000.0)
        self._origin = origin
        self._x = ((right[0] - origin[0]) / 1000, (right[1] - origin[1]) / 1000)
        self._y = ((upper[0] - origin[0]) / 1000, (upper[1] - origin[1]) / 1000)

    @property
    def box(self) -> Box:
        """Return the whole page."""
        return Box(0.0, 0.0, self.width, self.height)

    def _device(self, page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
        out_x, out_y = ctypes.c_int(), ctypes.c_int()
        width = max(round(self.width * self._SCALE), 1)
        height = max(round(self.height * self._SCALE), 1)
        pdfium_c.FPDF_PageToDevice(page.raw, 0, 0, width, height, 0, x, y, out_x, out_y)
        return out_x.value / self._SCALE, out_y.value / self._SCALE

    def to_points(self, left: float, bottom: float, right: float, top: float) -> Box:
        """Return a box of PDF space in displayed points."""
        xs, ys = [], []
        for x, y in ((left, bottom), (right, top)):
            xs.append(self._origin[0] + x * self._x[0] + y * self._y[0])
            ys.append(self._origin[1] + x * self._x[1] + y * self._y[1])
        return Box(min(xs), min(ys), max(xs), max(ys))


def read_words(page: pdfium.PdfPage, frame: PageFrame) -> list[Word]:
    """Return the words of the text layer that lie on the page, in content order."""
    textpage = page.get_textpage()
    try:
        text = textpage.get_text_range(0, min(textpage.count_chars(), _LIMIT))
        # Characters outside the BMP make the string and the character index differ.
        if len(text) != min(textpage.count_chars(), _LIMIT):
            text = _characters(textpage)
        return _words(textpage, text, frame)
    finally:
        textpage.close()


def _characters(textpage: pdfium.PdfTextPage) -> str:
    count = min(textpage.count_chars(), _LIMIT)
    codes = (pdfium_c.FPDFText_GetUnicode(textpage.raw, index) for index in range(count))
    return "".join(chr(code) if 0 < code < 0x110000 else " " for code in codes)


def _words(textpage: pdfium.PdfTextPage, text: str, frame: PageFrame) -> list[Word]:
    words = []
    for match in _WORD.finditer(text):
        rects = textpage.count_rects(match.start(), len(match.group()))
        boxes = [frame.to_points(*textpage.get_rect(index)) for index in range(rects)]
        if not boxes:
            continue
        box = union(boxes)
        if box.overlap(frame.box) <= 0 and not frame.box.touches(box):
            continue
        size, bold = _font(textpage, match.start(), box)
        words.append(Word(match.group().replace(_HYPHEN, "-"), box, size, bold))
    return words


def _font(textpage: Any, index: int, box: Box) -> tuple[float, bool]:
    size = pdfium_c.FPDFText_GetFontSize(textpage.raw, index)
    if size <= 1.5 or size > 4 * max(box.height, 1.0):
        size = box.height
    weight = pdfium_c.FPDFText_GetFontWeight(textpage.raw, index)
    if weight >= 600:
        return size, True
    flags = ctypes.c_int()
    buffer = ctypes.create_string_buffer(96)
    length = pdfium_c.FPDFText_GetFontInfo(textpage.raw, index, buffer, 96, flags)
    name = buffer.value.decode("utf-8", "replace") if 0 < length <= 96 else ""
    return size, bool(_BOLD.search(name))
