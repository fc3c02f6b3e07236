"""Pictures of what was found: pages, crops of them, frames of videos."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from langchain_kimi.rag.errors import StaleFileError, UnsupportedFileError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord
from langchain_kimi.rag.ingest.files import sha256_of
from langchain_kimi.rag.retrieve.search import Found


def picture_of(found: Found, *, dpi: float = 144, box: Box | None = None) -> Image.Image:
    """Draw the page, picture or frame that was found, from its file.

    Args:
        found: A result of a search.
        dpi: Resolution of a PDF page; pictures and frames keep their own.
        box: A part of it, in the units of `found.page_size`.

    Raises:
        StaleFileError: If the file is gone or has changed since it was ingested.
        UnsupportedFileError: If the type has no pictures, as text has none.
    """
    path = unchanged(found.document)
    family = found.document.media_type.split("/")[0]
    if found.document.media_type == "application/pdf":
        return _pdf_page(path, found.page, dpi, box)
    if family == "image":
        with Image.open(path) as image:
            whole = image.convert("RGB")
    elif family == "video":
        whole = _frame(path, found)
    else:
        msg = f"{found.document.path} has no pictures of its pages: use its text"
        raise UnsupportedFileError(msg)
    return _cropped(whole, found, box) if box is not None else whole


def unchanged(document: DocumentRecord) -> Path:
    """Return the file of a document as long as it is the one that was ingested.

    Raises:
        StaleFileError: If it is gone or has changed.
    """
    path = Path(document.source)
    try:
        status = path.stat()
    except OSError as error:
        msg = f"{document.path} is gone since it was ingested: ingest its folder again"
        raise StaleFileError(msg) from error
    touched = (status.st_size, status.st_mtime_ns) != (document.size, document.modified_ns)
    if touched and sha256_of(path) != document.sha256:
        msg = f"{document.path} has changed since it was ingested: ingest its folder again"
        raise StaleFileError(msg)
    return path


def _pdf_page(path: Path, number: int, dpi: float, box: Box | None) -> Image.Image:
    """Draw a page, or a box of it alone: of a poster the whole would not fit in memory."""
    from langchain_kimi.rag.ingest.pages import render
    from langchain_kimi.rag.ingest.pdf import open_pdf

    with open_pdf(path) as document:
        page = document[number - 1]
        try:
            return render(page, dpi, box=box and _inside(box, *page.get_size()))
        finally:
            page.close()


def _frame(path: Path, found: Found) -> Image.Image:
    from langchain_kimi.rag.ingest.video import frame_at

    middle = ((found.start or 0.0) + (found.end or 0.0)) / 2
    frame = frame_at(path, middle)
    if frame is None:
        msg = f"{found.document.path} has no frame at {middle:.1f} s: ingest its folder again"
        raise StaleFileError(msg)
    return frame


def _cropped(whole: Image.Image, found: Found, box: Box) -> Image.Image:
    width, height = found.page_size or whole.size
    across, down = whole.width / width, whole.height / height
    inside = _inside(box, width, height)
    edges = (inside.x0 * across, inside.y0 * down, inside.x1 * across, inside.y1 * down)
    return whole.crop(tuple(round(edge) for edge in edges))  # type: ignore[arg-type]


def _inside(box: Box, width: float, height: float) -> Box:
    inside = box.clipped(Box(0.0, 0.0, width, height))
    if inside.area <= 0:
        msg = f"the box {tuple(box)} lies outside the page of {width:g} x {height:g}"
        raise ValueError(msg)
    return inside
