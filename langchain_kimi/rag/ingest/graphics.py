"""Pictures and drawn paths of a PDF page."""

from __future__ import annotations

from dataclasses import dataclass

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.ingest.words import PageFrame

_KINDS = [pdfium_c.FPDF_PAGEOBJ_IMAGE, pdfium_c.FPDF_PAGEOBJ_PATH, pdfium_c.FPDF_PAGEOBJ_SHADING]
_LIMIT = 20_000
_BACKGROUND = 0.85


@dataclass(frozen=True)
class Graphics:
    """Boxes of what is drawn on a page, clipped to it."""

    images: tuple[Box, ...] = ()
    paths: tuple[Box, ...] = ()
    truncated: bool = False
    """Whether the page has more objects than were looked at."""


def read_graphics(page: pdfium.PdfPage, frame: PageFrame) -> Graphics:
    """Return where pictures and paths are; page-wide backgrounds count only as pictures."""
    images: list[Box] = []
    paths: list[Box] = []
    for count, item in enumerate(page.get_objects(filter=_KINDS, max_depth=6)):
        if count >= _LIMIT:
            return Graphics(tuple(images), tuple(paths), truncated=True)
        box = _page_box(item, frame)
        if box is None:
            continue
        if item.type == pdfium_c.FPDF_PAGEOBJ_IMAGE:
            images.append(box)
        elif box.area < _BACKGROUND * frame.box.area:
            paths.append(box)
    return Graphics(tuple(images), tuple(paths))


def _page_box(item: pdfium.PdfObject, frame: PageFrame) -> Box | None:
    bounds = item.get_bounds()
    container = item.container
    while container is not None:
        bounds = container.get_matrix().on_rect(*bounds)
        container = container.container
    box = frame.to_points(*bounds).clipped(frame.box)
    if box.width < 0 or box.height < 0 or max(box.width, box.height) < 1.0:
        return None
    return box
