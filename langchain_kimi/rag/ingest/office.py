"""DOCX by mammoth, PPTX by python-pptx (extra `office`)."""

from __future__ import annotations

import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from langchain_kimi.rag.errors import FileTooLargeError, UnreadableFileError, UnsupportedFileError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.ingest.files import MEDIA_TYPES
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.ingest.sections import html_pieces, to_parts
from langchain_kimi.rag.ingest.tables import Table

MAX_UNPACKED = 512 * 1024 * 1024
_POINT = 12_700
"""English metric units to a point."""


def _check(path: Path, module: str) -> None:
    """Refuse what cannot be read, before a library unpacks it."""
    if find_spec(module) is None:
        msg = f"{path.suffix} files need the extra `office`: pip install '…[office]'"
        raise UnsupportedFileError(msg)
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        msg = f"{path.name} is no readable {path.suffix[1:].upper()} file: {error}"
        raise UnreadableFileError(msg) from error
    if size > MAX_UNPACKED:
        msg = f"{path.name} unpacks to {size} bytes, {MAX_UNPACKED} are allowed"
        raise FileTooLargeError(msg)


def parse_docx(path: Path) -> Parsed:
    """Parse a DOCX file by its headings."""
    _check(path, "mammoth")
    mammoth = import_module("mammoth")
    with path.open("rb") as file:
        try:
            html = mammoth.convert_to_html(
                file, convert_image=mammoth.images.img_element(_no_image)
            )
        except (KeyError, ValueError, AttributeError, zipfile.BadZipFile) as error:
            msg = f"{path.name} is no readable DOCX file: {error}"
            raise UnreadableFileError(msg) from error
    _, pieces = html_pieces(html.value)
    title = next((piece.text for piece in pieces if piece.level), "")
    return Parsed(media_type=MEDIA_TYPES[".docx"], parts=tuple(to_parts(pieces)), title=title)


def _no_image(image: Any) -> dict[str, str]:
    return {"src": "", "alt": image.alt_text or ""}


def parse_pptx(path: Path) -> Parsed:
    """Parse a PPTX file: a part for each slide, boxes from its shapes."""
    _check(path, "pptx")
    pptx = import_module("pptx")
    try:
        deck = pptx.Presentation(str(path))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        msg = f"{path.name} is no readable PPTX file: {error}"
        raise UnreadableFileError(msg) from error
    size = (deck.slide_width / _POINT, deck.slide_height / _POINT)
    parts = [_slide(slide, number, size) for number, slide in enumerate(deck.slides, start=1)]
    title = deck.core_properties.title or ""
    return Parsed(media_type=MEDIA_TYPES[".pptx"], parts=tuple(parts), title=title)


def _slide(slide: Any, number: int, size: tuple[float, float]) -> Part:
    title = slide.shapes.title.text_frame.text.strip() if slide.shapes.title is not None else ""
    headings = (title,) if title else ()
    regions = [region for shape in slide.shapes for region in _regions(shape, headings)]
    if slide.has_notes_slide:
        notes = slide.notes_slide.notes_text_frame
        if notes is not None and notes.text.strip():
            regions.append(Region(kind="text", text=notes.text.strip(), headings=headings))
    text = "\n".join(region.text for region in regions)
    return Part(number=number, text=text, label=str(number), size=size, regions=tuple(regions))


def _regions(shape: Any, headings: tuple[str, ...]) -> list[Region]:
    if hasattr(shape, "shapes"):
        return [region for child in shape.shapes for region in _regions(child, headings)]
    box = _box(shape)
    if getattr(shape, "has_table", False):
        rows = tuple(tuple(cell.text for cell in row.cells) for row in shape.table.rows)
        if rows:
            markdown = Table(rows, box or Box(0, 0, 0, 0)).markdown
            return [Region(kind="table", text=markdown, box=box, headings=headings)]
    if getattr(shape, "has_chart", False):
        text = _chart_text(shape.chart)
        return [Region(kind="figure", text=text, box=box, headings=headings)]
    if shape.has_text_frame and shape.text_frame.text.strip():
        text = shape.text_frame.text.strip()
        kind = "heading" if headings and text == headings[0] else "text"
        return [Region(kind=kind, text=text, box=box, headings=headings)]  # type: ignore[arg-type]
    return []


def _chart_text(chart: Any) -> str:
    lines = [chart.chart_title.text_frame.text] if chart.has_title else []
    for plot in chart.plots:
        lines.append(" ".join(str(category) for category in plot.categories))
        lines += [f"{series.name}: {' '.join(map(str, series.values))}" for series in plot.series]
    return "\n".join(lines)


def _box(shape: Any) -> Box | None:
    edges = (shape.left, shape.top, shape.width, shape.height)
    if any(edge is None for edge in edges):
        return None
    left, top, width, height = (edge / _POINT for edge in edges)
    return Box(left, top, left + width, top + height)
