"""Clips with known scene changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 25
_WIDTH, _HEIGHT = 320, 180


@dataclass(frozen=True)
class Shot:
    """A scene: its length, and the frames over which it fades in."""

    seconds: float
    fade: int = 0


def write_clip(
    path: Path, shots: Sequence[Shot], *, codec: str = "mpeg4", seed: int = 7
) -> list[float]:
    """Write a clip; return the times of its changes, for a fade its middle."""
    frames, changes = _frames(shots, seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        stream.codec_context.time_base = Fraction(1, RATE)
        for array in frames:
            frame = av.VideoFrame.from_ndarray(array, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return changes


def _frames(shots: Sequence[Shot], seed: int) -> tuple[list[np.ndarray], list[float]]:
    random = np.random.default_rng(seed)
    frames: list[np.ndarray] = []
    changes: list[float] = []
    before = None
    for shot in shots:
        scene = _scene(random, before)
        before = scene
        count = round(shot.seconds * RATE)
        start = len(frames)
        last = frames[-1].astype(float) if frames else None
        for index in range(count):
            picture = np.roll(scene, index // 2, axis=1).astype(float)
            picture += random.normal(0, 2, picture.shape)
            if last is not None and index < shot.fade:
                share = (index + 1) / (shot.fade + 1)
                picture = share * picture + (1 - share) * last
            frames.append(np.clip(picture, 0, 255).astype(np.uint8))
        if start:
            changes.append((start + shot.fade / 2) / RATE)
    return frames, changes


def _scene(random: np.random.Generator, before: np.ndarray | None) -> np.ndarray:
    """Return a picture of coloured fields unlike the one before."""
    while True:
        fields = random.integers(0, 256, (5, 8, 3)).astype(float)
        scene = np.kron(fields, np.ones((_HEIGHT // 5, _WIDTH // 8, 1)))
        if before is None or np.abs(scene - before).mean() > 50:
            return scene
