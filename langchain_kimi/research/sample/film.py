"""A short film with subtitles: a tour of the mill, four drawn scenes of four seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image, ImageDraw

from langchain_kimi.research.sample.pictures import font

SCENE_SECONDS, _RATE, _SIZE = 4, 10, (640, 360)
_WOOD, _STONE, _WATER, _NIGHT = (120, 84, 52), (150, 150, 155), (70, 130, 170), (58, 46, 38)
Draw = ImageDraw.ImageDraw


class Scene(NamedTuple):
    """A scene: its title, what is said in it, and how a frame of it is drawn."""

    title: str
    said: str
    sky: tuple[int, int, int]
    draw: Callable[[Draw, float], None]


def write_film(path: Path) -> None:
    """Write the film, and its subtitles beside it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=_RATE)
        stream.width, stream.height = _SIZE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 1_000_000
        stream.codec_context.time_base = Fraction(1, _RATE)
        for scene in _SCENES:
            for index in range(SCENE_SECONDS * _RATE):
                frame = av.VideoFrame.from_ndarray(_frame(scene, index / _RATE), format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())
    path.with_suffix(".srt").write_text(_subtitles(), "utf-8")


def _frame(scene: Scene, seconds: float) -> np.ndarray:
    picture = Image.new("RGB", _SIZE, scene.sky)
    draw = ImageDraw.Draw(picture)
    scene.draw(draw, seconds)
    draw.text((30, 24), scene.title, fill="white", font=font(40))
    return np.asarray(picture)


def _subtitles() -> str:
    lines = []
    for index, scene in enumerate(_SCENES):
        start, end = index * SCENE_SECONDS, (index + 1) * SCENE_SECONDS
        span = f"00:00:{start:02},000 --> 00:00:{end:02},000"
        lines.append(f"{index + 1}\n{span}\n{scene.said}\n")
    return "\n".join(lines)


def _wheel(draw: Draw, seconds: float) -> None:
    """Draw a wheel of twelve paddles that turns in the river."""
    middle, radius = (400, 210), 120
    draw.rectangle((0, 290, *_SIZE), fill=_WATER)
    draw.ellipse(_around(middle, radius), outline=_WOOD, width=12)
    for spoke in range(12):
        angle = math.tau * spoke / 12 + seconds
        end = (middle[0] + radius * math.cos(angle), middle[1] + radius * math.sin(angle))
        draw.line((*middle, *end), fill=_WOOD, width=6)
        draw.ellipse(_around(end, 14), fill=_WOOD)


def _millstones(draw: Draw, seconds: float) -> None:
    """Draw the upper stone going round on the lower one, and flour that falls."""
    draw.rectangle((220, 230, 540, 300), fill=_STONE)
    draw.rectangle((240, 150, 520, 224), fill=(175, 175, 180))
    for mark in range(4):
        x = 240 + (70 * mark + 60 * seconds) % 280
        draw.line((x, 152, x, 222), fill=(120, 120, 125), width=5)
    for grain in range(24):
        fall = (40 * seconds + 17 * grain) % 60
        draw.ellipse(_around((228 + 13 * grain, 300 + fall), 3), fill="white")


def _store(draw: Draw, seconds: float) -> None:
    """Draw sacks under a roof, more with each second."""
    draw.polygon((60, 150, 320, 70, 580, 150), fill=_WOOD)
    draw.rectangle((90, 150, 550, 330), fill=_NIGHT)
    for sack in range(min(10, 4 + int(2 * seconds))):
        left, top = 110 + 86 * (sack % 5), 250 - 78 * (sack // 5)
        draw.rounded_rectangle((left, top, left + 70, top + 72), 18, fill=(214, 190, 140))


def _cleaning(draw: Draw, seconds: float) -> None:
    """Draw a sieve that shakes."""
    shift = 10 * math.sin(9 * seconds)
    draw.rectangle((200 + shift, 180, 520 + shift, 250), fill=(90, 110, 90))
    for hole in range(9):
        draw.ellipse(_around((230 + shift + 32 * hole, 215), 9), fill=(40, 55, 40))
    draw.line((200, 320, 520, 320), fill=_WOOD, width=14)


def _around(middle: tuple[float, float], radius: float) -> tuple[float, float, float, float]:
    return (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)


_SCENES = (
    Scene("The water wheel", "The tour begins at the water wheel.", (96, 150, 200), _wheel),
    Scene("The millstones", "Here the millstones grind oats and rye.", (70, 60, 56), _millstones),
    Scene("The grain store", "The tour comes to the grain store.", (104, 130, 110), _store),
    Scene("The cleaning machine", "A sieve takes out what is no grain.", (60, 80, 96), _cleaning),
)
