"""Films opened for reading: what they are, and their frames, in bounded memory."""

from __future__ import annotations

import contextlib
import io
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_kimi.content.sniff import HEAD, sniff
from langchain_kimi.content.sources import local_path, require
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Footage", "Source", "opened", "timestamp"]

Source = str | os.PathLike[str] | bytes

_DEMUXERS = {
    "video/mp4": "mp4",
    "video/quicktime": "mp4",
    "video/3gpp": "mp4",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
    "video/x-flv": "flv",
    "video/x-ms-wmv": "asf",
    "video/mpeg": "mpeg",
    "image/gif": "gif",
}
"""A demuxer for each type. It is forced, as FFmpeg would read playlists too, which name other
files and hosts."""
_SEEK_AHEAD = 4.0
"""Seconds from which on a jump to the next key frame is cheaper than decoding what lies between."""

_SLACK = 0.002
"""Seconds by which a frame may come late, as times are rounded."""


@dataclass
class Footage:
    """A film that is open for reading.

    Attributes:
        name: The file's name, or "the film".
        mime_type: By its first bytes.
        width: Pixels, before any turning.
        height: Pixels.
        seconds: Its length as the file states it, None where it does not.
        reached: How far it was read, in seconds.
    """

    name: str
    mime_type: str
    width: int
    height: int
    seconds: float | None
    _container: InputContainer = field(repr=False)
    _stream: VideoStream = field(repr=False)
    reached: float | None = None

    def length(self) -> float:
        """Return the length in seconds, by reading through the film where it does not state it.

        Raises:
            KimiInvalidInputError: The film is damaged.
        """
        if self.seconds is None:
            with _readable(self.name):
                times = (
                    self._seconds(packet.pts)
                    for packet in self._container.demux(self._stream)
                    if packet.pts is not None
                )
                last = max(times, default=None)
            self.seconds = 0.0 if last is None else last + self._interval
            self._seek(0.0)
        return self.seconds

    def frames(
        self, start: float = 0.0, end: float = math.inf, *, key_only: bool = False
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Yield frames with their times, in the order in which they are shown.

        Args:
            start: Seconds from which on frames are wanted.
            end: Seconds before which they are.
            key_only: Only frames that stand on their own, which are decoded five to twenty times
                faster.

        Raises:
            KimiInvalidInputError: The film is damaged.
        """
        if key_only:
            self._stream.codec_context.skip_frame = "NONKEY"
        if start > 0:
            self._seek(start)
        for frame in self._decoded():
            time = self.time_of(frame)
            if time >= end:
                return
            if time >= start:
                yield time, frame

    def frames_at(self, times: list[float]) -> Iterator[tuple[float, VideoFrame]]:
        """Yield the frame shown at each of some times, with its own; none twice.

        Args:
            times: Seconds from the beginning, ascending.

        Raises:
            KimiInvalidInputError: The film is damaged.
        """
        frames = self._decoded()
        shown: VideoFrame | None = None
        coming: VideoFrame | None = None
        given = -1.0
        ahead, begun = _SEEK_AHEAD, False
        slack = min(_SLACK, self._interval / 20)
        for time in times:
            position = self.time_of(coming) if coming is not None else 0.0
            if time - position > ahead and (coming is not None or not begun):
                self._seek(time)
                frames, shown = self._decoded(), None
                coming = next(frames, None)
                if coming is not None and self.time_of(coming) <= position and begun:
                    # no key frame lies between: to jump cost more than it saved
                    ahead = 2 * max(ahead, time - position)
            elif not begun:
                coming = next(frames, None)
            begun = True
            while coming is not None and self.time_of(coming) <= time + slack:
                shown, coming = coming, next(frames, None)
            found = shown or coming
            if found is not None and self.time_of(found) > given:
                given = self.time_of(found)
                yield given, found
            if coming is None:
                return

    def time_of(self, frame: VideoFrame) -> float:
        """Return when a frame is shown, in seconds from the film's beginning."""
        return 0.0 if frame.pts is None else self._seconds(frame.pts)

    @property
    def _interval(self) -> float:
        rate = self._stream.average_rate
        return 1 / float(rate) if rate else 0.04

    def _seek(self, time: float) -> None:
        base = self._stream.time_base
        if base is None:
            return
        offset = int(time / base) + (self._stream.start_time or 0)
        with _readable(self.name):
            self._container.seek(offset, stream=self._stream, backward=True)

    def _decoded(self) -> Iterator[VideoFrame]:
        with _readable(self.name):
            for packet in self._container.demux(self._stream):
                if packet.pts is not None:
                    until = self._seconds(packet.pts + (packet.duration or 0))
                    self.reached = max(self.reached or 0.0, until)
                yield from packet.decode()

    def _seconds(self, pts: int) -> float:
        start = self._stream.start_time or 0
        return max(0.0, float((pts - start) * (self._stream.time_base or 0)))


@contextlib.contextmanager
def opened(source: Source, *, max_pixels: int, name: str | None = None) -> Iterator[Footage]:
    """Open a film; nothing of it is decoded yet, and a file on disk is never read whole.

    Args:
        source: A path or the bytes.
        max_pixels: A film with larger frames is refused.
        name: What error messages call it; by default the file's name.

    Raises:
        KimiInvalidInputError: It is no film, is damaged, has no picture or too large a one.
        ImportError: PyAV is not installed.
    """
    av = require("av")
    file, head, found = _file(source)
    name = name or found or "the film"
    mime_type = sniff(head)
    demuxer = _DEMUXERS.get(mime_type or "")
    if mime_type is None or demuxer is None:
        kind = mime_type or "of no known type"
        msg = f"{name} is {kind}; a film is MP4, MOV, WebM, Matroska, AVI, MPEG, FLV, WMV or 3GPP"
        raise KimiInvalidInputError(msg)
    with _readable(name):
        container = av.open(file, mode="r", format=demuxer)
    with container:
        stream = next(iter(container.streams.video), None)
        if stream is None:
            msg = f"{name} has no picture; Kimi hears nothing, send a transcript as text"
            raise KimiInvalidInputError(msg)
        codec = stream.codec_context
        # PyAV's types do not say so, but a header that was cut off leaves a stream without codec
        width, height = (codec.width, codec.height) if codec else (0, 0)
        if width * height == 0:
            msg = f"{name} is damaged or cut off: it does not say how large its frames are"
            raise KimiInvalidInputError(msg)
        if width * height > max_pixels:
            msg = (
                f"{name} has frames of {width}x{height} pixels; at most {max_pixels:,} are "
                "decoded. Scale it down, or raise MediaLimits.max_pixels"
            )
            raise KimiInvalidInputError(msg)
        stream.thread_type = "AUTO"
        # a film may grow in its middle, whatever its header says
        codec.options = {"max_pixels": str(max_pixels)}
        yield Footage(
            name, mime_type, width, height, _seconds(container, stream), container, stream
        )


def timestamp(seconds: float) -> str:
    """Write a time as Kimi's preprocessor does: `hh:mm:ss.fff`."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}.{rest % 1000:03}"


def _file(source: Source) -> tuple[Any, bytes, str | None]:
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
        return io.BytesIO(data), data[:HEAD], None
    path: Path = local_path(source, kind="video")
    with path.open("rb") as opened_file:
        head = opened_file.read(HEAD)
    return f"file:{path.absolute()}", head, path.name


def _seconds(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1_000_000


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    av = require("av")
    try:
        yield
    except (av.FFmpegError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        msg = f"{name} is damaged or cut off: {reason}"
        raise KimiInvalidInputError(msg) from error
