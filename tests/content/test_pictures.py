"""Pictures become blocks that show what the file shows."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from PIL import Image

from langchain_kimi.content import MediaLimits, image
from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.content.cache import Cache, Encoded
from langchain_kimi.content.headers import picture_size
from langchain_kimi.content.pictures import CACHE, pictures_in
from langchain_kimi.errors import KimiInvalidInputError


def sent(block: dict[str, Any]) -> bytes:
    return base64.b64decode(block["base64"])


def shown(block: dict[str, Any]) -> Image.Image:
    picture = Image.open(io.BytesIO(sent(block)))
    assert Image.MIME[picture.format or ""] == block["mime_type"]
    return picture


def difference(one: Image.Image, other: Image.Image) -> float:
    pixels = [np.asarray(picture.convert("RGB")).astype(int) for picture in (one, other)]
    return float(np.abs(pixels[0] - pixels[1]).mean())


# --- what is sent -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_that_is_fine_is_sent_as_it_is(make: Any, kind: str) -> None:
    data = make.saved(make.photo(), kind)
    block = image(data)
    assert sent(block) == data
    assert block == {
        "type": "image",
        "base64": base64.b64encode(data).decode(),
        "mime_type": f"image/{kind.lower()}",
    }


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF", "JPEG2000", "ICO"])
def test_other_formats_are_converted(make: Any, kind: str) -> None:
    picture = make.photo(128, 128)
    block = image(make.saved(picture, kind, **({"sizes": [(128, 128)]} if kind == "ICO" else {})))
    assert block["mime_type"] == "image/jpeg"
    assert difference(shown(block), picture) < 8


def test_paths_bytes_and_pillow_images(make: Any, tmp_path: Path) -> None:
    picture = make.chart()
    path = tmp_path / "chart.png"
    picture.save(path)
    by_path = image(path)
    assert by_path["extras"] == {"name": "chart.png"}
    assert image(str(path)) == by_path
    assert image(path.read_bytes())["base64"] == by_path["base64"]
    made = image(picture, name="made", pinned=True)
    assert made["extras"] == {"name": "made", "pinned": True}
    assert difference(shown(made), picture) == 0


def test_the_type_is_read_from_the_bytes(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "lying.png"
    path.write_bytes(make.saved(make.photo(), "JPEG"))
    assert image(path)["mime_type"] == "image/jpeg"


def test_links_and_file_ids_are_passed_on() -> None:
    assert image(url="https://x.test/a.png", name="a") == {
        "type": "image",
        "url": "https://x.test/a.png",
        "extras": {"name": "a"},
    }
    assert image(file_id="file-1") == {"type": "image", "file_id": "file-1"}


def test_the_block_is_one_that_the_request_conversion_reads(make: Any) -> None:
    media = read_media_block(image(make.photo(), name="cat"))
    assert media is not None
    assert (media.kind, media.mime_type, media.name) == ("image", "image/jpeg", "cat")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_are_done(make: Any, orientation: int) -> None:
    picture = make.photo(96, 64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = make.saved(picture, "JPEG", quality=95, exif=exif)
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    block = image(data)
    assert shown(block).size == upright.size
    assert shown(block).getexif().get(0x0112, 1) == 1
    assert difference(shown(block), upright) < 4
    assert difference(shown(image(Image.open(io.BytesIO(data)))), upright) < 4


def test_transparent_ground_becomes_white() -> None:
    text = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    text.paste((0, 0, 0, 255), (10, 10, 20, 20))
    for source in (text, text.convert("P"), text.convert("LA")):
        picture = shown(image(source)).convert("RGB")
        assert picture.getpixel((0, 0)) == (255, 255, 255)
        assert picture.getpixel((15, 15)) == (0, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "RGBa"])
def test_every_mode_can_be_sent(make: Any, mode: str) -> None:
    grey = make.photo(64, 64).convert("L")
    through = {"LAB": "RGB", "HSV": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "RGBa": "RGBA"}
    source = grey.convert(through.get(mode, "L"))
    lab = Image.merge("LAB", [grey, grey, grey])
    source = lab if mode == "LAB" else source.convert(mode)
    assert shown(image(source)).mode in ("RGB", "L")


def test_sixteen_bits_are_spread_over_eight() -> None:
    ramp = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)
    buffer = io.BytesIO()
    Image.fromarray(ramp).save(buffer, "PNG")
    picture = np.asarray(shown(image(buffer.getvalue())))
    assert picture.min() < 10
    assert picture.max() > 245


def test_of_an_animation_the_first_picture_is_sent(make: Any) -> None:
    frames = [make.chart(), make.photo(320, 240)]
    data = make.saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    picture = shown(image(data))
    assert picture.format == "PNG"
    assert getattr(picture, "n_frames", 1) == 1


def test_text_and_charts_stay_png_and_photographs_become_jpeg(make: Any) -> None:
    limits = MediaLimits(longest_edge=200)
    assert image(make.saved(make.chart(), "PNG"), limits=limits)["mime_type"] == "image/png"
    assert image(make.saved(make.photo(), "PNG"), limits=limits)["mime_type"] == "image/jpeg"


# --- limits ---------------------------------------------------------------------------------


def test_large_pictures_are_scaled_to_what_the_model_sees(make: Any) -> None:
    picture = Image.new("RGB", (3840, 2160), "navy")
    assert shown(image(make.saved(picture, "PNG"))).size == (2392, 1345)
    assert shown(image(picture, limits=MediaLimits(longest_edge=1000))).size == (1000, 562)
    small = Image.new("RGB", (30, 20), "navy")
    assert shown(image(small)).size == (30, 20)


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (7, 500), (500, 7)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_tiny_pictures_are_sent(size: tuple[int, int], kind: str) -> None:
    held = io.BytesIO()
    Image.new("RGB", size, "red").save(held, kind)
    with Image.open(io.BytesIO(base64.b64decode(image(held.getvalue())["base64"]))) as sent:
        assert sent.size == size


def in_a_message(data: bytes, kind: str = "png") -> Image.Image:
    held = {"type": "image", "base64": base64.b64encode(data).decode()}
    block = {**held, "mime_type": f"image/{kind}"}
    (picture,) = pictures_in(HumanMessage([{"type": "text", "text": "This."}, block]))
    return picture


def test_pictures_of_a_message_are_read_as_the_model_gets_them(make: Any) -> None:
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (10, 10, 20, 20))
    seen = in_a_message(make.saved(clear, "PNG"))
    assert (seen.getpixel((0, 0)), seen.getpixel((15, 15))) == ((255, 255, 255), (0, 0, 0))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = in_a_message(make.saved(make.photo(64, 40), "JPEG", exif=exif), "jpeg")
    assert turned.size == (40, 64)
    assert max(in_a_message(make.saved(Image.new("L", (9_000, 90)), "PNG")).size) == 4_096


def test_hostile_pictures_of_a_message_are_the_one_error(make: Any) -> None:
    whole = make.saved(make.photo(640, 480), "PNG")
    with pytest.raises(KimiInvalidInputError, match="damaged or cut off"):
        in_a_message(whole[: len(whole) // 2])
    with pytest.raises(KimiInvalidInputError, match="at most 64,000,000 are decoded"):
        in_a_message(make.saved(Image.new("1", (10_000, 8_000)), "PNG"))


def test_long_thin_pictures_keep_a_pixel() -> None:
    assert shown(image(Image.new("RGB", (30_000, 1)))).size == (4096, 1)


@pytest.mark.parametrize("most", [60_000, 20_000, 4_000])
def test_bytes_are_kept_under_the_limit(make: Any, most: int) -> None:
    block = image(make.saved(make.photo(640, 480), "PNG"), limits=MediaLimits(max_bytes=most))
    assert len(sent(block)) <= most
    assert difference(shown(block).resize((64, 48)), make.photo(640, 480).resize((64, 48))) < 30


def test_a_chart_too_large_for_png_keeps_its_colours(make: Any) -> None:
    picture = make.chart(1200, 900)
    most = len(make.saved(picture, "PNG")) - 1
    block = image(picture, limits=MediaLimits(max_bytes=most))
    assert len(sent(block)) <= most
    assert difference(shown(block).resize(picture.size), picture) < 12


def test_only_allowed_formats_are_sent(make: Any) -> None:
    data = make.saved(make.photo(), "WEBP")
    assert image(data)["mime_type"] == "image/webp"
    jpeg = image(data, limits=MediaLimits(formats=("image/jpeg",)))
    assert jpeg["mime_type"] == "image/jpeg"
    png = image(data, limits=MediaLimits(formats=("image/png",), max_bytes=20_000))
    assert png["mime_type"] == "image/png"
    assert len(sent(png)) <= 20_000


def test_limits_that_leave_nothing_are_an_error(make: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match="no picture fits into 100 bytes"):
        image(make.photo(), limits=MediaLimits(max_bytes=100))


# --- the cache ------------------------------------------------------------------------------


def test_equal_pictures_are_prepared_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make.saved(make.photo(), "BMP")
    picture = make.chart()
    first = image(data), image(picture)
    monkeypatch.setattr("langchain_kimi.content.pictures.encode", None)
    again = image(data), image(picture.copy())
    assert all(one["base64"] is other["base64"] for one, other in zip(first, again, strict=True))


def test_other_limits_are_another_entry(make: Any) -> None:
    data = make.saved(make.photo(), "BMP")
    assert image(data) != image(data, limits=MediaLimits(longest_edge=100))
    assert len(CACHE) == 2


def test_the_cache_is_bounded_and_forgets_the_oldest() -> None:
    cache = Cache(100)
    for name in "abc":
        cache.put(name, Encoded(bytes(40), name, 1, 1))
    assert len(cache) == 2
    assert cache.get("a") is None
    assert cache.get("b") is not None
    cache.put("d", Encoded(bytes(40), "d", 1, 1))
    assert cache.get("c") is None
    cache.put("huge", Encoded(bytes(101), "huge", 1, 1))
    assert cache.get("huge") is None
    assert len(cache) == 2


def test_threads_may_share_it(make: Any) -> None:
    data = [make.saved(make.photo(64, 64, seed), "BMP") for seed in range(8)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        blocks = list(pool.map(image, data * 4))
    assert blocks == blocks[:8] * 4
    assert len(CACHE) == 8


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    ["https://x.test/a.png", "file:///etc/passwd", "data:image/png;base64,AAAA", "ms://abc"],
)
def test_urls_are_not_read(source: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"image\(url="):
        image(source)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.png", b"this is no picture", "of no known type"),
        ("empty.png", b"", "is empty"),
        ("page.png", b"%PDF-1.7 ...", "is application/pdf"),
        ("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", r"is image/svg\+xml"),
        ("phone.png", b"\x00\x00\x00\x18ftypheic" + bytes(64), "is image/heic"),
        ("film.png", b"\x00\x00\x00\x18ftypisom" + bytes(64), "is video/mp4"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(KimiInvalidInputError, match=rf"{name}.*{message}"):
        image(path)


def test_missing_files_folders_and_odd_sources(tmp_path: Path) -> None:
    for source in (tmp_path / "none.png", tmp_path):
        with pytest.raises(KimiInvalidInputError, match="there is no file"):
            image(source)
    with pytest.raises(KimiInvalidInputError, match="it got int"):
        image(3)  # type: ignore[arg-type]
    with pytest.raises(KimiInvalidInputError, match="0 were given"):
        image()
    with pytest.raises(KimiInvalidInputError, match="2 were given"):
        image(b"x", url="https://x.test")
    with pytest.raises(KimiInvalidInputError, match="at most 4 are read"):
        image(b"12345", limits=MediaLimits(max_source_bytes=4))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_pictures_that_were_cut_off(make: Any, kind: str, share: float) -> None:
    data = make.saved(make.photo(), kind)
    with pytest.raises(KimiInvalidInputError, match=r"damaged or cut off|no known type"):
        image(data[: int(len(data) * share)])


def test_a_pillow_image_of_a_cut_file(make: Any) -> None:
    data = make.saved(make.photo(), "PNG")
    with pytest.raises(KimiInvalidInputError, match="cannot be read"):
        image(Image.open(io.BytesIO(data[: len(data) // 2])))


SOURCES = {
    kind: lambda kind=kind: _saved(kind)
    for kind in ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO")
}


def _saved(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.effect_mandelbrot((48, 32), (-2, -1, 1, 1), 40).save(buffer, kind)
    return buffer.getvalue()


@settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    kind=st.sampled_from(sorted(SOURCES)),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 10_000),
)
def test_damaged_bytes_end_in_a_block_or_the_one_error(
    kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(SOURCES[kind]())
    for place, value in changes:
        data[place % len(data)] = value
    try:
        block = image(bytes(data[: max(1, len(data) - cut % len(data))]))
    except KimiInvalidInputError:
        return
    shown(block).load()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(width: int, height: int) -> bytes:
    """Return a small PNG that decodes to very much."""
    packer = zlib.compressobj(9)
    row = bytes(width // 8 + 1)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def huge_headers() -> dict[str, bytes]:
    tiff = b"II*\x00\x08\x00\x00\x00\x04\x00" + b"".join(
        struct.pack("<HHII", tag, 4, 1, value)
        for tag, value in ((256, 20_000), (257, 20_000), (262, 1), (273, 8))
    )
    jpeg = b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 20_000, 20_000)
    return {
        "png": bomb(20_000, 20_000),
        "gif": b"GIF89a" + struct.pack("<HH", 20_000, 20_000) + bytes(40),
        "jpeg": jpeg + b"\x03\x01\x11\x00\x02\x11\x00\x03\x11\x00" + bytes(40),
        "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 20_000, 20_000) + bytes(40),
        "tiff": tiff + bytes(8),
    }


@pytest.mark.parametrize("kind", ["png", "gif", "jpeg", "bmp", "tiff"])
def test_bombs_are_refused_by_their_header(kind: str) -> None:
    with pytest.raises(
        KimiInvalidInputError, match=r"20000x20000 pixels; at most 64,|too large to decode"
    ):
        image(huge_headers()[kind])


def test_bombs_cost_no_memory(growth: Callable[[str], float], tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(bomb(20_000, 20_000))
    code = """
        for _ in range(3):
            try:
                image("bomb.png")
            except KimiInvalidInputError:
                pass
            else:
                raise SystemExit("was not refused")
    """
    assert growth(code) < 40


def test_a_large_picture_is_decoded_in_bounded_memory(
    growth: Callable[[str], float], tmp_path: Path
) -> None:
    Image.new("RGB", (6_000, 5_000), "teal").save(tmp_path / "large.png")
    assert growth('image("large.png")') < 300


# --- headers and libraries ------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(1, 1), (17, 300), (1234, 5)])
def test_sizes_are_read_from_headers(make: Any, kind: str, size: tuple[int, int]) -> None:
    data = make.saved(make.photo(*size), kind)
    assert picture_size(data) == size
    assert picture_size(data[:8]) is None


def test_sizes_of_lossless_and_extended_webp(make: Any) -> None:
    picture = make.photo(33, 21)
    assert picture_size(make.saved(picture, "WEBP", lossless=True)) == (33, 21)
    exif = Image.Exif()
    exif[0x0112] = 3
    assert picture_size(make.saved(picture, "WEBP", exif=exif)) == (33, 21)


def test_without_pillow_the_error_says_what_to_install(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make.saved(make.photo(), "PNG")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"langchain-kimi-nvidia\[media\]"):
        image(data)
