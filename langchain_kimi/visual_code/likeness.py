"""How alike two pictures of pages are, and where they differ most."""

from __future__ import annotations

import numpy as np
from PIL import Image

_WIDTH = 320
_MOST_HEIGHT = 2_560
_WINDOW = 8
_C1, _C2 = 6.5025, 58.5225
_ROWS = ("in the upper third", "in the middle third", "in the lower third")
_COLUMNS = ("on the left", "in the centre", "on the right")


def likeness(picture: Image.Image, target: Image.Image) -> float:
    """Return how alike a picture is to its target, from 0 to 1.

    The mean of two measures at 320 pixels' width: structural similarity of the brightness (SSIM in
    windows of 8 pixels; Wang and others, 2004) sees edges and text, the colour difference sees
    areas. A picture of another size is compared as it would stand in the target's place: scaled.
    More than 2,560 pixels of height are scaled down to them.
    """
    return float(_alike(picture, target).mean())


def differs_most(picture: Image.Image, target: Image.Image) -> str:
    """Return in words which ninth of the picture is least alike."""
    alike = _alike(picture, target)
    ninths = [
        (float(part.mean()), f"{_ROWS[row]}, {_COLUMNS[column]}")
        for row, band in enumerate(np.array_split(alike, 3, axis=0))
        for column, part in enumerate(np.array_split(band, 3, axis=1))
        if part.size
    ]
    return min(ninths)[1]


def _alike(picture: Image.Image, target: Image.Image) -> np.ndarray:
    """Return the likeness of each window."""
    height = round(target.height * _WIDTH / target.width)
    height = min(max(_WINDOW, height), _MOST_HEIGHT)
    one, two = (_pixels(each, height) for each in (picture, target))
    colours = 1 - np.abs(_windows(one).mean((2, 3)) - _windows(two).mean((2, 3))).max(-1) / 255
    structure = _ssim(_windows(one @ _LUMA), _windows(two @ _LUMA))
    mean: np.ndarray = (colours + structure) / 2
    return mean


_LUMA = np.array([0.299, 0.587, 0.114])


def _pixels(picture: Image.Image, height: int) -> np.ndarray:
    scaled = picture.convert("RGB").resize((_WIDTH, height), Image.Resampling.BOX)
    return np.asarray(scaled, dtype=np.float64)


def _windows(pixels: np.ndarray) -> np.ndarray:
    """Cut pixels into windows: rows x columns x 8 x 8, and colours where there are some."""
    rows, columns = pixels.shape[0] // _WINDOW, pixels.shape[1] // _WINDOW
    cut = pixels[: rows * _WINDOW, : columns * _WINDOW]
    shape = (rows, _WINDOW, columns, _WINDOW, *pixels.shape[2:])
    windows: np.ndarray = cut.reshape(shape).swapaxes(1, 2)
    return windows


def _ssim(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    mean_one, mean_two = one.mean((2, 3)), two.mean((2, 3))
    spread_one, spread_two = one.var((2, 3)), two.var((2, 3))
    together = (one * two).mean((2, 3)) - mean_one * mean_two
    found: np.ndarray = (
        (2 * mean_one * mean_two + _C1)
        * (2 * together + _C2)
        / ((mean_one**2 + mean_two**2 + _C1) * (spread_one + spread_two + _C2))
    )
    clipped: np.ndarray = np.clip(found, 0, 1)
    return clipped
