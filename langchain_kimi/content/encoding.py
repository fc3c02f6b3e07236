"""Pictures to bytes: in a format that fits what they show, under a limit of bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from langchain_kimi.content.cache import Encoded
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from langchain_kimi.content.limits import MediaLimits

__all__ = ["encode", "encode_jpeg", "flattened", "is_drawn"]

QUALITIES = (85, 70, 55, 40, 25)
"""JPEG qualities that are tried one after the other (kimi-code: 80, 60, 40, 20)."""
_SAMPLE = 96
_FEW_COLOURS = 16
_DRAWN_SHARE = 0.5
_SHRINK = 0.75
_SMALLEST_EDGE = 64


def encode(image: Image, limits: MediaLimits) -> Encoded:
    """Encode a picture: PNG for text, charts and screens, JPEG for photographs.

    Args:
        image: Upright, at its final size.
        limits: Formats and bytes. Where the picture has too many bytes, quality goes first and
            then size.

    Raises:
        KimiInvalidInputError: The limits leave nothing to send.
    """
    image = flattened(image)
    drawn = is_drawn(image)
    while True:
        for found in _candidates(image, limits, drawn=drawn):
            if len(found.data) <= limits.max_bytes:
                return found
        width, height = (max(1, int(side * _SHRINK)) for side in image.size)
        if max(width, height) < _SMALLEST_EDGE:
            msg = (
                f"no picture fits into {limits.max_bytes} bytes as {', '.join(limits.formats)}; "
                "raise MediaLimits.max_bytes or allow image/jpeg"
            )
            raise KimiInvalidInputError(msg)
        image = image.resize((width, height))


def _candidates(image: Image, limits: MediaLimits, *, drawn: bool) -> Iterator[Encoded]:
    """Yield the picture in the formats that suit it, the best first."""
    takes_jpeg = "image/jpeg" in limits.formats
    if "image/png" in limits.formats and (drawn or not takes_jpeg):
        yield _png(image)
    if takes_jpeg:
        yield from (encode_jpeg(image, quality=quality, fine=drawn) for quality in QUALITIES)


def encode_jpeg(image: Image, *, quality: int, fine: bool = False) -> Encoded:
    """Encode as JPEG.

    Args:
        image: RGB or grey.
        quality: 1 to 95.
        fine: Whether colours keep their full resolution, which coloured text needs.
    """
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0 if fine else 2)
    return Encoded(buffer.getvalue(), "image/jpeg", *image.size)


def _png(image: Image) -> Encoded:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return Encoded(buffer.getvalue(), "image/png", *image.size)


def flattened(image: Image) -> Image:
    """Return the picture in RGB or grey, on white where it is transparent.

    The vision encoder drops the alpha channel, which leaves black text on a transparent ground
    black on black.
    """
    from PIL import Image as pillow  # noqa: N813, PLC0415  an optional library

    if image.mode in ("RGB", "L"):
        return image
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _deep_grey(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        ground = pillow.new("RGB", image.size, "white")
        ground.paste(rgba, mask=rgba.getchannel("A"))
        return ground
    return image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")


def _deep_grey(image: Image) -> Image:
    """Spread grey of more than 8 bits over 8: medical and scientific pictures."""
    floats = image.convert("F")
    low, high = floats.getextrema()
    if not isinstance(low, float) or not isinstance(high, float):
        return image.convert("L")
    scale = 255.0 / (high - low) if high > low else 0.0
    return floats.point(lambda value: value * scale - low * scale).convert("L")


def is_drawn(image: Image) -> bool:
    """Tell text, charts and screens from photographs: few colours cover most of them.

    Args:
        image: RGB or grey.
    """
    sample = image.resize((_SAMPLE, _SAMPLE), resample=0)
    colours = sample.getcolors(_SAMPLE * _SAMPLE) or []
    counts = sorted((count for count, _ in colours), reverse=True)
    return sum(counts[:_FEW_COLOURS]) >= _DRAWN_SHARE * _SAMPLE * _SAMPLE
