"""Pictures, films and documents made on the spot."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("PIL")
pytest.importorskip("av")
pytest.importorskip("pypdfium2")

import av
import numpy as np
from PIL import Image, ImageDraw

from langchain_kimi.content.pictures import CACHE


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    CACHE.clear()
    yield
    CACHE.clear()


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int = 320, height: int = 240, seed: int = 0) -> Image.Image:
    """Return a picture with as many colours as a photograph."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(0, 255, (height // 16 + 2, width // 16 + 2, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(smooth).astype(int) + chance.normal(0, 6, (height, width, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def chart(width: int = 320, height: int = 240) -> Image.Image:
    """Return a picture with text and bars."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    for at in range(6):
        draw.rectangle(
            (20 + at * 40, height - 20 - at * 25, 50 + at * 40, height - 20), "steelblue"
        )
        draw.text((20 + at * 40, height - 18), f"Q{at}", fill="black")
    return image


def clip(
    path: Path,
    *,
    seconds: float = 4,
    rate: int = 10,
    size: tuple[int, int] = (160, 90),
    scene: float = 2,
    fade: int = 0,
    codec: str = "mpeg4",
    **options: str,
) -> Path:
    """Write a film whose picture changes every `scene` seconds."""
    chance = np.random.default_rng(1)
    count, each = int(seconds * rate), max(1, int(scene * rate))
    scenes = chance.integers(0, 255, (count // each + 2, 9, 16, 3)).astype(float)
    tile = np.ones((size[1] // 9, size[0] // 16, 1))
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.gop_size = rate
        for at in range(count):
            colours = scenes[at // each]
            if at >= each and at % each < fade:
                share = (at % each + 1) / (fade + 1)
                colours = scenes[at // each - 1] * (1 - share) + colours * share
            pixels = np.ascontiguousarray(np.kron(colours, tile).astype(np.uint8))
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def pdf(pages: list[str], *, size: tuple[float, float] = (612, 792)) -> bytes:
    """Return a PDF with a line of text on each page."""
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", font]
    kids = []
    for text in pages:
        content = f"BT /F1 24 Tf 72 {size[1] - 72:.0f} Td ({text}) Tj ET".encode()
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
        kids.append(len(objects) + 1)
        objects.append(
            (
                f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {size[0]} {size[1]}] "
                f"/Contents {len(objects)} 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            ).encode()
        )
    references = " ".join(f"{kid} 0 R" for kid in kids)
    objects[1] = f"<< /Type /Pages /Kids [{references}] /Count {len(kids)} >>".encode()
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(
        b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    )
    return out.getvalue()


_PEAK = """
import re
from pathlib import Path
import PIL.Image, av, numpy, pypdfium2
from langchain_kimi.content import document, image, video
from langchain_kimi.errors import KimiInvalidInputError
def peak():
    # unlike getrusage, this begins anew with the process
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
"""


class Make:
    """The makers, for tests."""

    saved = staticmethod(saved)
    photo = staticmethod(photo)
    chart = staticmethod(chart)
    clip = staticmethod(clip)
    pdf = staticmethod(pdf)


@pytest.fixture
def make() -> type[Make]:
    return Make


@pytest.fixture
def growth(tmp_path: Path) -> Callable[[str], float]:
    """Return a function that runs code and tells by how many MB it raised the memory's peak."""

    if not Path("/proc/self/status").exists():
        pytest.skip("the system does not tell a process's peak of memory")

    def run(code: str) -> float:
        script = tmp_path / "run.py"
        script.write_text(_PEAK + textwrap.dedent(code) + "\nprint(peak() - before)\n")
        done = subprocess.run(
            [sys.executable, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return float(done.stdout.strip().splitlines()[-1])

    return run
