"""Pictures that are made to do harm cost no memory and end in the one error."""

from __future__ import annotations

import base64
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from langchain_kimi.content import image


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("strict", [True, False])
def test_broken_exif_data_do_not_cost_the_picture(make: Any, *, strict: bool) -> None:
    whole = make.saved(make.photo(), "JPEG")
    for broken in (
        b"MM\0*" + b"\xff" * 54,
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x63\0\0\0\0\0\0\0",
        b"junk",
        b"",
    ):
        exif = b"Exif\0\0" + broken
        data = whole[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + whole[2:]
        with warnings.catch_warnings():
            warnings.simplefilter("error" if strict else "ignore")
            block = image(data)
        assert base64.b64decode(block["base64"]) == data


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def chunked(kind: bytes, packed: bytes) -> bytes:
    """Return a PNG of 10x10 pixels with one more chunk."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 10, 10, 8, 2, 0, 0, 0)),
        (kind, b"a\0\0" + packed),
        (b"IDAT", zlib.compress(bytes(310))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


HOSTILE = {
    "no frames": b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0, 0, 0) + b";",
    "no pixels": b"GIF89a" + struct.pack("<HHBBB", 0, 0, 0, 0, 0) + b";",
    "a frame larger than the picture": b"GIF89a"
    + struct.pack("<HHBBB", 10, 10, 0, 0, 0)
    + b","
    + struct.pack("<HHHHB", 0, 0, 65_000, 65_000, 0)
    + b"\x02\x02\x4c\x01\x00;",
    "the smallest number": b"BM"
    + bytes(12)
    + struct.pack("<Iii", 40, -(2**31), -(2**31))
    + bytes(40),
    "a WebP of 2^48 pixels": b"RIFF\x64\0\0\0WEBPVP8X\x0a\0\0\0"
    + bytes(4)
    + b"\xff" * 6
    + bytes(80),
    "a text that unpacks": chunked(b"zTXt", zlib.compress(bytes(50_000_000))),
    "a profile that unpacks": chunked(b"iCCP", zlib.compress(bytes(50_000_000))),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_pictures_are_refused_in_bounded_memory(
    growth: Callable[[str], float], tmp_path: Path, kind: str
) -> None:
    (tmp_path / "hostile.bin").write_bytes(HOSTILE[kind])
    code = """
        try:
            image("hostile.bin")
        except KimiInvalidInputError as error:
            if "0x" in str(error).replace("0x0", ""):
                raise SystemExit(f"an address in memory: {error}")
        else:
            raise SystemExit("was not refused")
    """
    assert growth(code) < 40


def test_an_animation_of_many_frames_costs_one(
    growth: Callable[[str], float], tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (1_000, 1_000), (number % 255, 0, 0)) for number in range(200)]
    frames[0].save(tmp_path / "long.gif", save_all=True, append_images=frames[1:])
    assert growth('image("long.gif")') < 80
