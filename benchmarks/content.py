"""Measure pictures, films, streamed answers in a schema, and the error of the token estimate.

Pictures and films are measured against plain Pillow and PyAV, an hour of film by its memory.

Ratios are of CPU time for the same result: 1 is as fast as the plain library, less is faster.

    python benchmarks/content.py [--quick]
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
from _harness import interleave, medians, print_result, print_table
from PIL import Image, ImageDraw, ImageOps

from langchain_kimi import ChatKimi
from langchain_kimi.call import Call
from langchain_kimi.content import image, video_frames
from langchain_kimi.content.cost import fitted_size
from langchain_kimi.content.films import Sampling
from langchain_kimi.content.pictures import CACHE
from langchain_kimi.context import estimate_tokens
from langchain_kimi.wire.stream import StreamReader

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "token-counts.jsonl"
FRAME_EDGE = 896
BY_RATE = "by='rate'"


def photo(width: int, height: int) -> Image.Image:
    chance = np.random.default_rng(0)
    coarse = chance.integers(0, 255, (height // 64 + 2, width // 64 + 2, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noise = chance.normal(0, 3, (height, width, 1))
    return Image.fromarray((np.asarray(smooth) + noise).clip(0, 255).astype(np.uint8))


def screen(width: int, height: int) -> Image.Image:
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    for line in range(0, height - 20, 18):
        draw.text(
            (20, line), f"{line:05} The quick brown fox jumps over the lazy dog " * 4, "black"
        )
    draw.rectangle((width // 2, height // 2, width - 50, height - 50), "steelblue")
    return picture


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures() -> dict[str, bytes]:
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "photo, 12 megapixels, turned": saved(photo(4000, 3000), "JPEG", exif=turned),
        "photo, 1280x960": saved(photo(1280, 960), "JPEG"),
        "screen, 4K": saved(screen(3840, 2160), "PNG"),
        "screen, 1280x720": saved(screen(1280, 720), "PNG"),
        "photo as PNG, 1600x1200": saved(photo(1600, 1200), "PNG"),
    }


def with_pillow(data: bytes) -> str:
    """Do what a careful caller does by hand: turn, scale, encode in the format of the source."""
    picture = Image.open(io.BytesIO(data))
    kind = picture.format or "JPEG"
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    size = fitted_size(*upright.size)
    if size != upright.size:
        upright = upright.resize(size, Image.Resampling.LANCZOS)
    options: dict[str, Any] = {"quality": 85} if kind == "JPEG" else {}
    return base64.b64encode(saved(upright, kind, **options)).decode()


def with_helper(data: bytes) -> str:
    CACHE.clear()
    text: str = image(data)["base64"]
    return text


def cpu_ms(work: Callable[[], object]) -> Callable[[], float]:
    def measure() -> float:
        started = time.process_time()
        work()
        return (time.process_time() - started) * 1e3

    return measure


def bench_images(rounds: int) -> float:
    ratios = []
    for name, data in pictures().items():
        contestants = {
            "Pillow": cpu_ms(partial(with_pillow, data)),
            "image()": cpu_ms(partial(with_helper, data)),
        }
        found = medians(interleave(contestants, rounds))
        print_table(f"A picture: {name}", "ms", found, "Pillow")
        ratios.append(found["image()"] / found["Pillow"])
        print(f"  {1e3 / found['image()']:.0f} pictures a second")
    return math.exp(statistics.mean(map(math.log, ratios)))


def write_clip(path: Path, *, seconds: int, rate: int, size: tuple[int, int], scene: int) -> None:
    width, height = size
    down, across = np.mgrid[0:height, 0:width]
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = rate * 10
        pixels = np.empty((height, width, 3), np.uint8)
        for at in range(seconds * rate):
            shade = at // (scene * rate) * 83
            pixels[..., 0] = (across + at * 2 + shade) & 255
            pixels[..., 1] = (down * 2 + shade) & 255
            pixels[..., 2] = shade & 255
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts = at
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def with_pyav(path: Path) -> int:
    """Decode every frame, and encode one a second at the size of the helper's."""
    kept, wanted = 0, 0.0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        scale = min(1.0, FRAME_EDGE / max(stream.width, stream.height))
        size = round(stream.width * scale), round(stream.height * scale)
        for frame in container.decode(stream):
            untyped: Any = frame
            if untyped.time >= wanted:
                picture = untyped.to_image(width=size[0], height=size[1], interpolation="AREA")
                saved(picture, "JPEG", quality=80)
                kept, wanted = kept + 1, wanted + 1
    return kept


def bench_video(folder: Path, rounds: int, seconds: int) -> float:
    path = folder / "clip.mp4"
    write_clip(path, seconds=seconds, rate=25, size=(1280, 720), scene=5)

    def sampled(by: Sampling) -> int:
        edge = FRAME_EDGE if by == "rate" else None
        return len(video_frames(path, by=by, max_tokens=1_000_000, longest_edge=edge))

    assert sampled("rate") == with_pyav(path)
    ways: list[Sampling] = ["rate", "budget", "scene", "keyframe"]
    contestants = {"PyAV": cpu_ms(partial(with_pyav, path))} | {
        f"by={way!r}": cpu_ms(partial(sampled, way)) for way in ways
    }
    found = medians(interleave(contestants, rounds))
    print_table(f"{seconds} s of 1280x720 at 25 frames a second", "ms", found, "PyAV")
    frames = seconds * 25
    print(f"  {frames * 1e3 / found[BY_RATE]:.0f} frames a CPU second")
    return found[BY_RATE] / found["PyAV"]


PEAK = """
import re, sys
from pathlib import Path
import PIL.Image, av, numpy
from langchain_kimi.content import video
def peak():
    # unlike getrusage, this begins anew with the process
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
before = peak()
blocks = video(sys.argv[1], by=sys.argv[2])
print(peak() - before, peak(), len(blocks) // 2)
"""


def bench_memory(folder: Path, hours: float) -> float:
    path = folder / "hour.mp4"
    write_clip(path, seconds=int(3600 * hours), rate=4, size=(640, 360), scene=30)
    print(
        f"\nMemory for {hours:g} h of film in 640x360, {path.stat().st_size / 1e6:.0f} MB on disk"
    )
    worst = 0.0
    for way in ("budget", "scene", "keyframe"):
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path), way], capture_output=True, text=True, check=True
        )
        added, whole, frames = map(float, done.stdout.split())
        print(f"  by={way!r:<11} {added:6.1f} MB more, {whole:6.1f} MB in all, {frames:.0f} frames")
        worst = max(worst, added)
    return worst


def bench_tokens() -> float | None:
    if not SAMPLES.exists():
        print("\nThe counted samples are not on this machine: no error of the token estimate")
        return None
    errors: dict[str, list[float]] = {}
    for line in SAMPLES.read_text().splitlines():
        sample = json.loads(line)
        error = abs(estimate_tokens(sample["text"]) / sample["tokens"] - 1) * 100
        errors.setdefault(sample["kind"], []).append(error)
    print("\nToken estimate: median absolute error in per cent")
    for kind, found in errors.items():
        print(f"  {kind:<9} {statistics.median(found):5.2f}   of {len(found)} samples")
    everything = [error for found in errors.values() for error in found]
    print(f"  {'all':<9} {statistics.median(everything):5.2f}")
    return statistics.median(everything)


class Scripted(ChatKimi):
    """Streams a JSON answer in pieces of its own, through the real wire, without a socket."""

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Any:
        request = Call(self, self._links, messages, None, kwargs).request(stream=True)
        reader = StreamReader(request, self.quirks, v1=False, await_think_end=False)
        for event in EVENTS:
            if delta := reader.assembler.feed(event):
                yield reader.chunk(delta)
        yield from reader.end(done=True, request_id=None)


CHUNKS = 5000
ANSWER = json.dumps({"items": [{"name": f"item {n}", "count": n} for n in range(CHUNKS * 4 // 33)]})
PIECE = -(-len(ANSWER) // CHUNKS)
EVENTS = [
    {"model": "kimi", "choices": [{"index": 0, "delta": {"content": ANSWER[at : at + PIECE]}}]}
    for at in range(0, len(ANSWER), PIECE)
]
SCHEMA = {
    "title": "Items",
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                "required": ["name", "count"],
            },
        }
    },
    "required": ["items"],
}


def bench_structured(rounds: int) -> float:
    llm = Scripted(base_url="http://127.0.0.1:9/v1")
    structured = llm.with_structured_output(SCHEMA)

    def drain(runnable: Any) -> None:
        for _ in runnable.stream("Go."):
            pass

    contestants = {
        "plain": cpu_ms(lambda: drain(llm)),
        "structured": cpu_ms(lambda: drain(structured)),
    }
    found = medians(interleave(contestants, rounds))
    print_table(f"A streamed answer of {len(EVENTS)} chunks", "ms", found, "plain")
    return found["structured"] / found["plain"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds and a shorter film")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures: dict[str, float | None] = {
            "image_vs_pillow": bench_images(3 if quick else 9),
            "video_vs_pyav": bench_video(folder, 3 if quick else 5, 10 if quick else 30),
            "video_hour_peak_mb": bench_memory(folder, 0.1 if quick else 1),
            "token_estimate_error_pct": bench_tokens(),
            "structured_chunk_vs_plain": bench_structured(3 if quick else 7),
        }
    print_result({name: value for name, value in figures.items() if value is not None})


if __name__ == "__main__":
    main()
