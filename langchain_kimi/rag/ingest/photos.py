"""Photographs on a page: told from drawings and text by their many tones, without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from langchain_kimi.rag.geometry import Box

PHOTO_DPI = 36
LEAST_SHARE = 0.08
"""Share of the page that photographs cover, from which on it counts as having one."""
_TILE = 6
_TONES = 4
_PLAIN = 0.6
_LIGHT = 235
_LEAST_DARK = 0.8


def photo_share(picture: Image.Image, page: Box, boxes: Sequence[Box]) -> float:
    """Return the share of a page that photographs inside `boxes` cover.

    Args:
        picture: The page, drawn at about `PHOTO_DPI`.
        page: The page in points.
        boxes: Where its pictures are, in points.
    """
    tones = _toned_tiles(np.asarray(picture.convert("RGB"), dtype=np.int16))
    if tones.size == 0:
        return 0.0
    rows, columns = tones.shape
    inside = np.zeros(tones.shape, dtype=bool)
    for box in boxes:
        x0, x1 = (round(columns * x / page.width) for x in (box.x0, box.x1))
        y0, y1 = (round(rows * y / page.height) for y in (box.y0, box.y1))
        inside[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    return float((tones & inside).mean())


def _toned_tiles(pixels: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Return which tiles have several tones, none of which prevails, and little white."""
    rows, columns = pixels.shape[0] // _TILE, pixels.shape[1] // _TILE
    tiles = pixels[: rows * _TILE, : columns * _TILE].reshape(rows, _TILE, columns, _TILE, 3)
    tiles = tiles.swapaxes(1, 2).reshape(rows, columns, _TILE * _TILE, 3)
    coarse = tiles // 32
    tones = np.sort(coarse[..., 0] * 64 + coarse[..., 1] * 8 + coarse[..., 2], axis=-1)
    several = (np.diff(tones, axis=-1) != 0).sum(axis=-1) >= _TONES - 1
    run = round(_PLAIN * _TILE * _TILE)
    plain = (tones[..., run - 1 :] == tones[..., : tones.shape[-1] - run + 1]).any(axis=-1)
    dark = (tiles <= _LIGHT).any(axis=-1).mean(axis=-1) > _LEAST_DARK
    toned: NDArray[np.bool_] = several & ~plain & dark
    return toned
