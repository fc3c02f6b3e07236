"""The size of a picture from its first bytes, without decoding it and without Pillow."""

from __future__ import annotations

import base64
import binascii
import struct

__all__ = ["encoded_size", "picture_size"]

_START = 4_096
_MOST = 262_144
"""How far a JPEG is searched: a thumbnail or a colour profile may stand before the size."""
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def encoded_size(data: str, start: int = 0) -> tuple[int, int] | None:
    """Return width and height of a picture in base64, None where they cannot be seen.

    Args:
        data: Base64 text, or a data URL with `start` behind its comma.
        start: Where the base64 text begins.
    """
    for count in (_START, _MOST):
        try:
            head = base64.b64decode(data[start : start + count] + "==")
        except (binascii.Error, ValueError):
            return None
        size = picture_size(head)
        if size is not None or len(data) - start <= count:
            return size
    return None


def picture_size(head: bytes) -> tuple[int, int] | None:
    """Return width and height as the header of a PNG, GIF, JPEG, WebP or BMP says.

    The turn that EXIF asks for is left out: it does not change what a picture costs by much.

    Args:
        head: The first kilobytes.
    """
    try:
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return struct.unpack(">II", head[16:24])
        if head.startswith((b"GIF87a", b"GIF89a")):
            return struct.unpack("<HH", head[6:10])
        if head.startswith(b"BM"):
            width, height = struct.unpack("<ii", head[18:26])
            return width, abs(height)
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
    except struct.error:
        return None
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    chunk = head[12:16]
    if chunk == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return width + 1, height + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


def _jpeg(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 <= len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        (length,) = struct.unpack(">H", head[at + 2 : at + 4])
        at += 2 + length
    return None
