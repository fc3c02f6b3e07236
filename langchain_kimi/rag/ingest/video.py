"""Videos to scenes with time spans, key frames and what is said and shown (extra `media`)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from langchain_kimi.rag.errors import UnreadableFileError, UnsupportedFileError
from langchain_kimi.rag.ingest.files import MEDIA_TYPES
from langchain_kimi.rag.ingest.images import read_picture
from langchain_kimi.rag.ingest.ocr import OcrEngine
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.ingest.scenes import Frame, find_changes
from langchain_kimi.rag.ingest.sections import read_text
from langchain_kimi.rag.ingest.subtitles import Cue, clean, parse_cues, sidecar

_WIDTH, _HEIGHT = 64, 36
_LONGEST_SCENE = 60.0
_MAX_FRAMES = 2_000_000
_OVERRIDES = re.compile(r"^(?:[^,]*,){8}")


def parse_video(path: Path, *, ocr: OcrEngine | None = None) -> Parsed:
    """Parse a video: a part for each scene, its text from subtitles and OCR of a key frame.

    Raises:
        UnsupportedFileError: If the extra `media` is not installed.
        UnreadableFileError: If no frame of it can be decoded.
    """
    if find_spec("av") is None:
        msg = f"{path.suffix} files need the extra `media`"
        raise UnsupportedFileError(msg)
    av = import_module("av")
    try:
        duration, size, changes, notes = _scan(av, path)
        cues = [*_tracks(av, path), *_beside(path)]
        spans = list(_spans(changes, duration))
        pictures = list(_key_frames(av, path, spans)) if ocr is not None else [None] * len(spans)
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        msg = f"{path.name} is no readable video: {error}"
        raise UnreadableFileError(msg) from error
    parts = [
        _scene(number, span, picture, cues, size, ocr)
        for number, (span, picture) in enumerate(zip(spans, pictures, strict=True), start=1)
    ]
    return Parsed(media_type=MEDIA_TYPES[path.suffix.lower()], parts=tuple(parts), notes=notes)


def _scan(av: Any, path: Path) -> tuple[float, tuple[float, float], list[float], tuple[str, ...]]:
    """Decode a video once; return its length, frame size and scene changes."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            msg = "it has no picture track"
            raise ValueError(msg)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        state = _State()
        changes = find_changes(state.frames(av, container, stream))
        if state.count == 0:
            msg = "no frame can be decoded"
            raise ValueError(msg)
        notes = (f"decoding stopped at {state.end:.1f} s: {state.error}",) if state.error else ()
        size = (float(stream.width), float(stream.height))
        return state.end, size, [change.time for change in changes], notes


class _State:
    """Counts frames while they pass by."""

    def __init__(self) -> None:
        self.count = 0
        self.end = 0.0
        self.error = ""

    def frames(self, av: Any, container: Any, stream: Any) -> Iterator[tuple[float, Frame]]:
        rate = float(stream.average_rate or 25)
        try:
            for frame in container.decode(stream):
                time = frame.time if frame.time is not None else self.count / rate
                self.count += 1
                self.end = max(self.end, time + 1 / rate)
                small = frame.reformat(width=_WIDTH, height=_HEIGHT, format="rgb24").to_ndarray()
                yield time, small.astype(np.float32)
                if self.count >= _MAX_FRAMES:
                    self.error = f"more than {_MAX_FRAMES} frames"
                    return
        except av.FFmpegError as error:
            if self.count == 0:
                raise
            self.error = str(error)


def _spans(changes: Sequence[float], duration: float) -> Iterator[tuple[float, float]]:
    """Yield the spans between changes; a long one is cut so that a citation stays near."""
    edges = [0.0, *(time for time in changes if 0.0 < time < duration), duration]
    for start, end in itertools.pairwise(edges):
        pieces = max(1, round((end - start) / _LONGEST_SCENE))
        step = (end - start) / pieces
        for index in range(pieces):
            yield start + index * step, start + (index + 1) * step


def _key_frames(
    av: Any, path: Path, spans: Sequence[tuple[float, float]]
) -> Iterator[Image.Image | None]:
    for start, end in spans:
        yield frame_at(path, (start + end) / 2, av=av)


def frame_at(path: Path, seconds: float, *, av: Any = None) -> Image.Image | None:
    """Return the frame shown at a time, or None behind the end."""
    av = av or import_module("av")
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.time_base:
            container.seek(max(int(seconds / stream.time_base), 0), stream=stream)
        last = None
        for frame in container.decode(stream):
            last = frame
            if frame.time is not None and frame.time >= seconds:
                break
        picture: Image.Image | None = last.to_image() if last is not None else None
        return picture


def _tracks(av: Any, path: Path) -> list[Cue]:
    """Return the cues of the text tracks inside a video."""
    cues: list[Cue] = []
    with av.open(str(path)) as container:
        streams = list(container.streams.subtitles)
        if not streams:
            return []
        for packet in container.demux(streams):
            if packet.pts is None or packet.time_base is None:
                continue
            start = float(packet.pts * packet.time_base)
            length = float((packet.duration or 0) * packet.time_base)
            text = _cue_text(bytes(packet), packet.stream.codec_context.name)
            if text:
                cues.append(Cue(start, start + length, text))
    return cues


def _cue_text(data: bytes, codec: str) -> str:
    if codec == "mov_text":
        length = int.from_bytes(data[:2], "big")
        return clean(data[2 : 2 + length].decode("utf-8", "replace"))
    text = data.decode("utf-8", "replace")
    return clean(_OVERRIDES.sub("", text) if codec in ("ass", "ssa") else text)


def _beside(path: Path) -> list[Cue]:
    file = sidecar(path)
    return parse_cues(read_text(file)) if file else []


def _scene(
    number: int,
    span: tuple[float, float],
    picture: Image.Image | None,
    cues: Sequence[Cue],
    size: tuple[float, float],
    ocr: OcrEngine | None,
) -> Part:
    start, end = span
    spoken = [cue.text for cue in cues if cue.start < end and cue.end > start]
    regions = [Region(kind="text", text="\n".join(spoken))] if spoken else []
    notes: tuple[str, ...] = ()
    if picture is not None:
        shown, notes = read_picture(picture.convert("L"), ocr)
        regions += shown
    return Part(
        number=number,
        text="\n".join(region.text for region in regions),
        size=size,
        regions=tuple(regions),
        start=round(start, 3),
        end=round(end, 3),
        notes=notes,
    )
