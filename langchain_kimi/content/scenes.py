"""Where a film changes: cuts and cross-fades, found on thumbnails of its brightness."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from langchain_kimi.content.sources import require

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from langchain_kimi.content.footage import Footage

__all__ = ["scene_frames"]

_WIDTH, _HEIGHT = 64, 36
_LOOKS_PER_SECOND = 12.5
_CUT = 14.0
"""Mean difference of brightness, of 255, between two looks that is a cut: found every hard cut of
a generated film, and none too many, from 12 to 40."""
_FADE = 22.0
"""The same over half a second: a cross-fade of eight frames is never large between two looks."""
_FADE_SECONDS = 0.5
_STILL = 3.0
"""Under this difference a fade is over, and the new scene can be shown."""


def scene_frames(
    footage: Footage, start: float = 0.0, end: float = math.inf, *, least: float = 1.0
) -> Iterator[tuple[float, VideoFrame]]:
    """Yield the first frame, and one of each scene after it.

    Args:
        footage: The film; read once, in the memory of a few thumbnails.
        start: Seconds from which on scenes are wanted.
        end: Seconds before which they begin.
        least: Seconds that a scene lasts at least.

    Raises:
        KimiInvalidInputError: The film is damaged.
    """
    numpy = require("numpy")
    before: deque[tuple[float, Any]] = deque()
    shown = looked = float("-inf")
    fading_until: float | None = None
    for time, frame in footage.frames(start, end):
        if time - looked < 1 / _LOOKS_PER_SECOND - 0.005:
            continue
        looked = time
        look = _thumbnail(frame)
        while len(before) > 1 and time - before[1][0] >= _FADE_SECONDS:
            before.popleft()
        step = _difference(numpy, look, before[-1][1]) if before else 255.0
        drift = _difference(numpy, look, before[0][1]) if before else 0.0
        before.append((time, look))
        if fading_until is None and step < _CUT <= _FADE <= drift and time - shown >= least:
            fading_until = time + _FADE_SECONDS
        settled = fading_until is not None and (step < _STILL or time >= fading_until)
        if (step >= _CUT and time - shown >= least) or settled:
            yield time, frame
            shown, fading_until = time, None
            before = deque([(time, look)])


def _thumbnail(frame: VideoFrame) -> Any:
    grey = frame.reformat(
        width=_WIDTH, height=_HEIGHT, format="gray", interpolation="FAST_BILINEAR"
    )
    return grey.to_ndarray().astype("int16")


def _difference(numpy: Any, one: Any, other: Any) -> float:
    return float(numpy.abs(one - other).mean())
