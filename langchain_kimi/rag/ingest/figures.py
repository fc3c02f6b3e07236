"""Figures and charts as regions: pictures, clusters of paths, and the labels that touch them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from langchain_kimi.rag.geometry import Box, clusters, union
from langchain_kimi.rag.ingest.graphics import Graphics
from langchain_kimi.rag.ingest.layout import Block, Line

CAPTION = re.compile(
    r"^(figures?|fig|tables?|tab|charts?|exhibits?|graph|diagram|box|map|plate|scheme|schedule"
    r"|image|illustration|photo|panel|abbildung|tabelle|tableau|cuadro|figura|tabla)"
    r"\.?\s*([A-Z]?\d+([.\-–]\d+)*[a-z]?|[IVXLC]+|[A-Z])\b[.:–—\-|]?",
    re.IGNORECASE,
)
_LEAST_SIDE = 24.0
_LEAST_PART = 0.004
_SCAN = 0.8
_LABEL_WORDS = 12
_GAPS = (2.0, 10.0, 24.0)
"""Points between shapes of one figure: parts of a drawing, bars of a chart, panels."""
_MANY = 400
MANY_SHAPES = 1_200
"""Shapes of a page that are grouped one by one; beyond, its ink shows the figures."""


def is_caption(text: str) -> bool:
    """Tell whether a block reads like the caption of a figure or a table."""
    return bool(CAPTION.match(text)) and len(text) < 900


def find_figures(
    page: Box, graphics: Graphics, lines: Sequence[Line], ink: Sequence[Box] = ()
) -> list[Box]:
    """Return the boxes of figures and charts, each with the labels that touch it."""
    solid = [path for path in graphics.paths if min(path.width, path.height) > 4.0][:_MANY]
    drawn = [path for path in graphics.paths if not _separator(path, page, solid)]
    shapes = _fewer([box for box in (*graphics.images, *drawn) if box.area < _SCAN * page.area])
    figures: list[Box] = []
    for gap in _GAPS:
        figures += [union(shapes[index] for index in group) for group in clusters(shapes, gap)]
    figures += [box for box in ink if not _is_text(box, lines)]
    labels = [line for line in lines if len(line.words) <= _LABEL_WORDS]
    grown = [_with_labels(box, labels, page) for box in figures if _large(box, page)]
    return distinct([box for pair in zip(grown, figures, strict=False) for box in pair], page)


def _fewer(shapes: Sequence[Box]) -> list[Box]:
    """Drop shapes in the same place, and of a drawing with very many the smallest."""
    places = {tuple(round(edge / 2) for edge in box): box for box in shapes}
    if len(places) <= MANY_SHAPES:
        return list(places.values())
    return sorted(places.values(), key=lambda box: -(box.width + box.height))[:MANY_SHAPES]


def _is_text(box: Box, lines: Sequence[Line]) -> bool:
    """Tell a box that text fills from one with a picture in it."""
    return sum(line.box.overlap(box) for line in lines) > 0.4 * box.area


def _separator(path: Box, page: Box, solid: Sequence[Box]) -> bool:
    """Tell a rule between texts from the axis of a chart, on which something stands."""
    if path.height > 2.5 or path.width <= 0.5 * page.width:
        return False
    return not any(path.touches(other) for other in solid)


def _large(box: Box, page: Box) -> bool:
    return (
        min(box.width, box.height) >= _LEAST_SIDE
        and _LEAST_PART * page.area <= box.area <= _SCAN * page.area
    )


def _with_labels(box: Box, labels: Sequence[Line], page: Box) -> Box:
    for _ in range(3):
        near = [line.box for line in labels if line.box.touches(box.grown(0.8 * line.size))]
        wider = union([box, *near])
        if wider == box or wider.area > _SCAN * page.area:
            break
        box = wider
    return box


def distinct(boxes: Sequence[Box], page: Box, limit: float = 0.9) -> list[Box]:
    """Drop boxes that are too small for a figure or nearly the same as one before."""
    kept: list[Box] = []
    for box in boxes:
        if _large(box, page) and all(box.iou(other) < limit for other in kept):
            kept.append(box)
    return kept


def caption_for(box: Box, blocks: Sequence[Block]) -> Block | None:
    """Return the caption right above or below a figure or table, the nearest one."""
    best: tuple[float, Block] | None = None
    for block in blocks:
        if not is_caption(block.text):
            continue
        shared = min(box.x1, block.box.x1) - max(box.x0, block.box.x0)
        if shared < 0.3 * min(box.width, block.box.width):
            continue
        gap = max(block.box.y0 - box.y1, box.y0 - block.box.y1, 0.0)
        if gap <= 36.0 and (best is None or gap < best[0]):
            best = (gap, block)
    return best[1] if best else None
