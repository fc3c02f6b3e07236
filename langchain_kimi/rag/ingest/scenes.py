"""Scene changes of a video: hard cuts and cross-fades, from small grey frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.float32]
_CUT = 14.0
"""Mean change of a pixel (0 to 255) from one frame to the next, at a hard cut."""
_CUT_RATIO = 3.0
_FADE = 16.0
"""Mean change of a pixel over the fade window."""
_WINDOW = 0.6
_MOVED = 12.0
_MOST = 0.6
"""Share of pixels that a fade changes; a moving camera changes those at edges."""
_LEAST_SCENE = 0.6


@dataclass(frozen=True)
class Change:
    """Where one scene gives way to the next: time in seconds, and whether gradually."""

    time: float
    fade: bool


def find_changes(frames: Iterable[tuple[float, Frame]]) -> list[Change]:
    """Return the scene changes of a stream of (seconds, small frame) pairs.

    A hard cut stands out from the frames right before it; a cross-fade shows only against the
    frame a window earlier, where each step is small and all lead the same way.
    """
    cuts: list[Change] = []
    history: list[tuple[float, Frame, float]] = []
    gradual: list[tuple[float, float]] = []
    for time, frame in frames:
        step = float(np.abs(frame - history[-1][1]).mean()) if history else 0.0
        steady = _mean([entry[2] for entry in history[-8:]])
        if history and step > _CUT and step > _CUT_RATIO * steady + 2.0:
            cuts.append(Change(time, fade=False))
            history = []
            gradual.append((time, 0.0))
            step = 0.0
        history.append((time, frame, step))
        while history[0][0] < time - _WINDOW:
            history.pop(0)
        gradual.append((time, _fade_strength(history)))
    fades = [Change(time, fade=True) for time in _peaks(gradual)]
    return _merge(cuts, fades)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _fade_strength(history: list[tuple[float, Frame, float]]) -> float:
    """Return the change over the window, where it is a blend of its two ends; else 0."""
    if len(history) < 5:
        return 0.0
    first, last = history[0][1], history[-1][1]
    whole = last - first
    size = float(np.abs(whole).mean())
    moved = np.abs(whole).max(axis=-1) if whole.ndim > 2 else np.abs(whole)
    if size < _FADE or float((moved > _MOVED).mean()) < _MOST:
        return 0.0
    middle = history[len(history) // 2][1] - first
    share = float((middle * whole).sum() / max(float((whole * whole).sum()), 1e-6))
    rest = float(np.abs(middle - share * whole).mean())
    return size if rest < 0.16 * size + 1.0 and -0.1 <= share <= 1.1 else 0.0


def _peaks(gradual: list[tuple[float, float]]) -> Iterator[float]:
    """Yield the middle of each run of strong gradual change."""
    run: list[tuple[float, float]] = []
    for time, strength in [*gradual, (float("inf"), 0.0)]:
        if strength > 0.0:
            run.append((time, strength))
            continue
        if len(run) >= 2:
            best = max(value for _, value in run)
            strong = [moment for moment, value in run if value >= 0.9 * best]
            yield max((strong[0] + strong[-1]) / 2 - _WINDOW / 2, 0.0)
        run = []


def _merge(cuts: list[Change], fades: list[Change]) -> list[Change]:
    """Keep all cuts, and the fades that are not the echo of a cut or of another fade."""
    kept = list(cuts)
    for fade in fades:
        if all(abs(fade.time - other.time) >= _LEAST_SCENE for other in kept):
            kept.append(fade)
    return sorted(kept, key=lambda change: change.time)
