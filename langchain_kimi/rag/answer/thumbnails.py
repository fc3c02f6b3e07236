"""Small pictures of cited places: the page with its region outlined, the frame at its time."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

from PIL import Image, ImageDraw

from langchain_kimi.content.pages import PDFIUM_LOCK
from langchain_kimi.rag.answer.result import Citation
from langchain_kimi.rag.answer.sources import load_pages
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.errors import RagError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.pictures import picture_of
from langchain_kimi.rag.retrieve.search import Found

_LONGEST = 720
_DPI = 96
_SHARP_DPI = 144
_MARGIN = 6.0
_BESIDE, _ABOVE = 60.0, 30.0
_OUTLINE = "#d4351c"
_QUALITY = 82


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A picture as a data URL."""

    url: str
    width: int
    height: int


def thumbnails(corpus: Corpus, citation: Citation) -> list[Thumbnail]:
    """Return the page or frame of a citation, then its region enlarged; nothing for text files.

    A file that has changed since it was ingested has none: what it shows now may be another thing.
    """
    pages = load_pages(corpus, [citation.id])
    if not pages or pages[0].document.sha256 != citation.sha256:
        return []
    try:
        return _drawn(pages[0], citation)
    except RagError:
        return []


def _drawn(found: Found, citation: Citation) -> list[Thumbnail]:
    if citation.start is not None and citation.end is not None:
        from langchain_kimi.rag.answer.footage import frame_pictures

        return [_thumbnail(frame_pictures(found, [citation.middle])[0])]
    with PDFIUM_LOCK:
        page = picture_of(found, dpi=_DPI)
        if citation.box is None:
            return [_thumbnail(page)]
        whole, cited = Box(0.0, 0.0, *(found.page_size or page.size)), Box(*citation.box)
        around = _around(cited, whole)
        region = picture_of(found, dpi=_SHARP_DPI, box=around)
    outlined = (
        _outlined(page, whole, cited.grown(_MARGIN)),
        _outlined(region, around, cited.grown(_MARGIN / 2)),
    )
    return [_thumbnail(picture) for picture in outlined]


def _around(box: Box, page: Box) -> Box:
    """Return a region with what stands beside it, so that its words are not cut."""
    wide = Box(box.x0 - _BESIDE, box.y0 - _ABOVE, box.x1 + _BESIDE, box.y1 + _ABOVE)
    return wide.clipped(page)


def _outlined(picture: Image.Image, shown: Box, box: Box) -> Image.Image:
    """Outline a box in the picture of a part of its page."""
    across, down = picture.width / shown.width, picture.height / shown.height
    inside = box.clipped(shown)
    left, top = (inside.x0 - shown.x0) * across, (inside.y0 - shown.y0) * down
    right, bottom = (inside.x1 - shown.x0) * across, (inside.y1 - shown.y0) * down
    edges = (left, top, max(left, right - 1), max(top, bottom - 1))
    line = max(2, round(max(picture.size) / 300))
    ImageDraw.Draw(picture).rectangle(edges, outline=_OUTLINE, width=line)
    return picture


def _thumbnail(picture: Image.Image) -> Thumbnail:
    picture.thumbnail((_LONGEST, _LONGEST))
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=_QUALITY)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{data}", *picture.size)
