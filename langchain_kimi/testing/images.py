"""Pictures in requests: data URLs taken apart, formats told by their first bytes."""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Mapping
from typing import Any

DATA_PREFIX = "data:"


def url_of(image_url: Any) -> str:
    """Return the URL of an ``image_url`` or ``video_url`` value, string or mapping."""
    if isinstance(image_url, Mapping):
        image_url = image_url.get("url")
    return image_url if isinstance(image_url, str) else ""


def decode_data_url(url: str) -> bytes:
    """Return the bytes of a base64 data URL.

    Raises:
        ValueError: When the URL has no base64 payload or the payload is no base64.
    """
    head, comma, payload = url.partition(",")
    if not comma or not head.endswith(";base64"):
        msg = f"not a base64 data URL: {url[:40]!r}"
        raise ValueError(msg)
    try:
        return base64.b64decode(payload, validate=True)
    except binascii.Error as problem:
        msg = f"invalid base64 in data URL: {problem}"
        raise ValueError(msg) from problem


def picture_format(data: bytes) -> str | None:
    """Tell png, jpeg, gif and webp by their first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def picture_size(image_url: Any) -> tuple[int, int] | None:
    """Return width and height of a picture given as data URL, None when not readable."""
    url = url_of(image_url)
    if not url.startswith(DATA_PREFIX):
        return None
    try:
        data = decode_data_url(url)
        return _READERS[picture_format(data) or ""](data)
    except (ValueError, KeyError, struct.error, IndexError):
        return None


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments to the frame header, which holds height, then width."""
    at = 2
    while True:
        if data[at] != 0xFF:
            msg = "no JPEG frame header"
            raise ValueError(msg)
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]


def _webp_size(data: bytes) -> tuple[int, int]:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return width, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


_READERS = {"png": _png_size, "gif": _gif_size, "jpeg": _jpeg_size, "webp": _webp_size}
