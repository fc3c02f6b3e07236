"""Regions of a scanned page: what stands apart from the background, without a model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from langchain_kimi.rag.geometry import Box

_TILES = (5.0, 9.0, 14.0)
"""Sides of the tiles in points: what is nearer than a tile grows together."""
_CONTRAST = 28
_LEAST_INK = 0.04
INK_DPI = 48


def ink_boxes(picture: Image.Image, page: Box) -> list[Box]:
    """Return boxes around connected ink in a grey picture of a page, in page points."""
    scale = INK_DPI / 72
    size = (max(round(page.width * scale), 1), max(round(page.height * scale), 1))
    small = np.asarray(picture.convert("L").resize(size, Image.Resampling.BOX), dtype=np.int16)
    ink = np.abs(small - _background(small)) > _CONTRAST
    boxes: list[Box] = []
    for side in _TILES:
        step = max(round(side * scale), 1)
        boxes += [
            Box(*(edge * step / scale for edge in group)).clipped(page)
            for group in _components(_tiles(ink, step))
        ]
    return boxes


def _background(picture: NDArray[np.int16]) -> int:
    counts = np.bincount(picture.ravel(), minlength=256)
    return int(np.convolve(counts, np.ones(9), mode="same").argmax())


def _tiles(ink: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return which tiles have ink in them."""
    rows, columns = -(-ink.shape[0] // step), -(-ink.shape[1] // step)
    padded = np.zeros((rows * step, columns * step), dtype=np.float32)
    padded[: ink.shape[0], : ink.shape[1]] = ink
    shares = padded.reshape(rows, step, columns, step).mean(axis=(1, 3))
    filled: NDArray[np.bool_] = shares > _LEAST_INK
    return filled


def _components(tiles: NDArray[np.bool_]) -> list[tuple[int, int, int, int]]:
    """Return the extents of tiles that touch, at a corner too: x0, y0, x1, y1."""
    open_tiles = {(int(row), int(column)) for row, column in np.argwhere(tiles)}
    found = []
    while open_tiles:
        stack = [open_tiles.pop()]
        rows, columns = [stack[0][0]], [stack[0][1]]
        while stack:
            row, column = stack.pop()
            for y in (row - 1, row, row + 1):
                for x in (column - 1, column, column + 1):
                    if (y, x) in open_tiles:
                        open_tiles.remove((y, x))
                        stack.append((y, x))
                        rows.append(y)
                        columns.append(x)
        found.append((min(columns), min(rows), max(columns) + 1, max(rows) + 1))
    return found
