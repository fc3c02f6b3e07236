"""Pictures among the documents: a chart, and a delivery note as a scanner gives it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_ELECTRICITY = {"Q1": 4300, "Q2": 1200, "Q3": 1900, "Q4": 2100}
_BLUE, _RED, _INK = (34, 87, 122), (190, 70, 40), (35, 35, 40)
_DELIVERY = (
    "The sawmill at the ford delivered the oak for the new paddles.",
    "3 March 2025",
    "",
    "32 boards, 1.80 m by 0.40 m, 6 cm thick",
    "Dried for two years. Received in full.",
)


def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the letters that come with Pillow."""
    return ImageFont.load_default(size)


def draw_chart() -> Image.Image:
    """Draw bars that stand for the electricity of four quarters."""
    picture = Image.new("RGB", (1000, 640), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((60, 28), "Electricity in 2025, kilowatt hours", fill=_INK, font=font(36))
    told = "The first quarter used the most electricity: 4,300"
    draw.text((60, 80), told, fill=_RED, font=font(28))
    for value in range(0, 5000, 1000):
        height = 560 - value // 11
        draw.line((90, height, 950, height), fill=(220, 220, 220), width=1)
    for index, (name, value) in enumerate(_ELECTRICITY.items()):
        left, top = 130 + 210 * index, 560 - value // 11
        draw.rectangle((left, top, left + 120, 560), fill=_BLUE if index else _RED)
        draw.text((left + 40, 572), name, fill=_INK, font=font(28))
        draw.text((left + 22, top - 36), f"{value:,}", fill=_INK, font=font(28))
    draw.line((90, 560, 950, 560), fill=_INK, width=3)
    return picture


def draw_scan() -> Image.Image:
    """Draw a delivery note, then make it look scanned: tinted, a little askew, with noise."""
    paper = (246, 240, 226)
    picture = Image.new("RGB", (1100, 620), paper)
    draw = ImageDraw.Draw(picture)
    draw.text((80, 60), "Delivery note", fill=_INK, font=font(48))
    draw.line((80, 130, 1020, 130), fill=_INK, width=3)
    for index, line in enumerate(_DELIVERY):
        draw.text((80, 170 + 58 * index), line, fill=_INK, font=font(31))
    draw.ellipse((780, 440, 1000, 560), outline=_RED, width=6)
    draw.text((812, 482), "RECEIVED", fill=_RED, font=font(30))
    askew = picture.rotate(0.7, Image.Resampling.BICUBIC, fillcolor=paper)
    noise = np.random.default_rng(7).normal(0, 6, (askew.height, askew.width, 1))
    return Image.fromarray(np.clip(np.asarray(askew) + noise, 0, 255).astype(np.uint8))
