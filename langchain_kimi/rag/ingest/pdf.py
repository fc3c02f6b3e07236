"""PDF files to pages with text, tables, figures, captions, headings and their boxes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pypdfium2 as pdfium

from langchain_kimi.content.pages import PDFIUM_LOCK
from langchain_kimi.rag.errors import EncryptedFileError, UnreadableFileError
from langchain_kimi.rag.geometry import Box, clusters, union
from langchain_kimi.rag.ingest.figures import caption_for, find_figures, is_caption
from langchain_kimi.rag.ingest.graphics import Graphics
from langchain_kimi.rag.ingest.headings import (
    Style,
    body_style,
    furniture_key,
    heading_level,
    printed_numbers,
    running_heads,
)
from langchain_kimi.rag.ingest.layout import Block, find_blocks, reading_order
from langchain_kimi.rag.ingest.ocr import OcrEngine
from langchain_kimi.rag.ingest.pages import RawPage, read_page
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.ingest.tables import Table, find_tables
from langchain_kimi.rag.ingest.trail import HeadingTrail

MAX_PAGES = 20_000
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")


@contextmanager
def open_pdf(path: Path) -> Iterator[pdfium.PdfDocument]:
    """Open a PDF file, and keep other threads out: PDFium takes one at a time, or hangs.

    Raises:
        EncryptedFileError: If it needs a password.
        UnreadableFileError: If it is damaged beyond repair or is no PDF.
    """
    with PDFIUM_LOCK, _opened(path) as document:
        yield document


def _opened(path: Path) -> pdfium.PdfDocument:
    try:
        return pdfium.PdfDocument(path)
    except pdfium.PdfiumError as error:
        if "password" in str(error).lower():
            msg = f"{path.name} is encrypted: remove its password and ingest it again"
            raise EncryptedFileError(msg) from error
        msg = f"{path.name} is no readable PDF: {error}"
        raise UnreadableFileError(msg) from error


def parse_pdf(path: Path, *, ocr: OcrEngine | None = None) -> Parsed:
    """Parse a PDF file; damaged pages become notes, not failures."""
    with open_pdf(path) as document:
        count = len(document)
        raw = [_read(document, index, ocr) for index in range(min(count, MAX_PAGES))]
        outline = _outline(document)
        labels = {page.number: document.get_page_label(page.number - 1) for page in raw}
        information = document.get_metadata_dict()
    notes = [note for page in raw for note in page.notes]
    if count > MAX_PAGES:
        notes.append(f"only the first {MAX_PAGES} of {count} pages were read")
    parts = _parts(raw, outline, _labels(raw, labels))
    return Parsed(
        media_type="application/pdf",
        parts=tuple(parts),
        title=information.get("Title", "").strip(),
        date=_date(information.get("CreationDate", "")),
        notes=tuple(notes),
    )


def _read(document: pdfium.PdfDocument, index: int, ocr: OcrEngine | None) -> RawPage:
    try:
        return read_page(document, index, ocr)
    except pdfium.PdfiumError as error:
        note = f"page {index + 1} could not be read: {error}"
        return RawPage(index + 1, Box(0, 0, 612, 792), (), (), Graphics(), (note,))


def _date(text: str) -> str:
    match = _DATE.match(text)
    return "-".join(group for group in match.groups() if group) if match else ""


def _labels(raw: Sequence[RawPage], labels: dict[int, str]) -> dict[int, str]:
    """Join the labels the file gives with the numbers printed on the pages."""
    printed = printed_numbers(raw)
    joined = {}
    for page in raw:
        names = [labels.get(page.number, ""), *printed.get(page.number, "").split()]
        joined[page.number] = " ".join(dict.fromkeys(name for name in names if name))
    return joined


def _outline(document: pdfium.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """Return the bookmarks by page number: level and title."""
    marks: dict[int, list[tuple[int, str]]] = {}
    try:
        for bookmark in document.get_toc(max_depth=6):
            target = bookmark.get_dest()
            index = target.get_index() if target else None
            if index is not None and bookmark.get_title().strip():
                entry = (bookmark.level + 1, bookmark.get_title().strip())
                marks.setdefault(index + 1, []).append(entry)
    except pdfium.PdfiumError:
        return {}
    return marks


def _parts(
    raw: Sequence[RawPage], outline: dict[int, list[tuple[int, str]]], labels: dict[int, str]
) -> Iterator[Part]:
    blocks = [[*find_blocks(page.lines), *find_blocks(page.ocr_lines)] for page in raw]
    style = body_style(blocks)
    heads = running_heads(raw)
    trail = HeadingTrail()
    for page, page_blocks in zip(raw, blocks, strict=True):
        for level, title in outline.get(page.number, []):
            trail.push(level, title, outline=True)
        yield _part(page, page_blocks, style, heads, trail, labels[page.number])


def _part(
    page: RawPage,
    blocks: list[Block],
    style: Style,
    heads: set[str],
    trail: HeadingTrail,
    label: str,
) -> Part:
    tables = find_tables(page.lines, page.graphics.paths)
    if not page.lines:
        tables = find_tables(page.ocr_lines, page.graphics.paths)
    figures = find_figures(page.box, page.graphics, page.all_lines, page.ink)
    seen = {id(line) for line in page.ocr_lines}
    body = [block for block in blocks if furniture_key(block.text) not in heads]
    regions: list[Region] = []
    for index in reading_order([block.box for block in body]):
        block = body[index]
        origin = "ocr" if id(block.lines[0]) in seen else "layer"
        level = heading_level(block, style)
        if is_caption(block.text):
            kind = "caption"
        elif level is not None and not _in_any(block, tables):
            trail.push(level, block.text)
            kind = "heading"
        else:
            kind = "text"
        regions.append(
            Region(
                kind=kind,  # type: ignore[arg-type]
                text=block.text,
                box=block.box,
                headings=trail.path(),
                origin=origin,  # type: ignore[arg-type]
            )
        )
    regions += [_table_region(table, blocks, regions) for table in tables]
    regions += [_figure_region(box, blocks, regions, page) for box in figures]
    text = "\n".join(region.text for region in regions if region.kind not in ("table", "figure"))
    return Part(
        number=page.number,
        text=text,
        label=label,
        size=(page.box.width, page.box.height),
        regions=tuple(regions),
        boxes=tuple(groups(blocks, tables, figures)),
        photo=page.photo,
        notes=page.notes,
    )


def _in_any(block: Block, tables: Sequence[Table]) -> bool:
    return any(block.box.inside(table.box) > 0.6 for table in tables)


def _near_headings(box: Box, regions: Sequence[Region]) -> tuple[str, ...]:
    above = [region for region in regions if region.box and region.box.y0 <= box.y0 + 2]
    nearest = max(above, key=lambda region: region.box.y1 if region.box else 0.0, default=None)
    if nearest is None and regions:
        nearest = regions[0]
    return nearest.headings if nearest else ()


def _table_region(table: Table, blocks: Sequence[Block], regions: Sequence[Region]) -> Region:
    caption = caption_for(table.box, blocks)
    return Region(
        kind="table",
        text=table.markdown,
        box=table.box,
        caption=caption.text if caption else "",
        headings=_near_headings(table.box, regions),
    )


def _figure_region(
    box: Box, blocks: Sequence[Block], regions: Sequence[Region], page: RawPage
) -> Region:
    caption = caption_for(box, blocks)
    inside = [line for line in page.all_lines if line.box.inside(box) > 0.5]
    ocr = {id(line) for line in page.ocr_lines}
    return Region(
        kind="figure",
        text="\n".join(line.text for line in inside),
        box=box,
        caption=caption.text if caption else "",
        headings=_near_headings(box, regions),
        origin="ocr" if any(id(line) in ocr for line in inside) else "layer",
    )


def groups(blocks: Sequence[Block], tables: Sequence[Table], figures: Sequence[Box]) -> list[Box]:
    """Return boxes of what may be cited as one: neighbouring blocks and their pictures."""
    boxes = [block.box for block in blocks]
    shapes = [*boxes, *(table.box for table in tables), *figures]
    found: list[Box] = []
    for pool, gaps in ((boxes, (4.0, 8.0, 14.0)), (shapes, (3.0, 8.0, 14.0, 22.0))):
        for gap in gaps:
            found += [union(pool[i] for i in group) for group in clusters(pool, gap)]
    kept: list[Box] = []
    for box in found:
        if all(box.iou(other) < 0.92 for other in (*shapes, *kept)):
            kept.append(box)
    return kept
