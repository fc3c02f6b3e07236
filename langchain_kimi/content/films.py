"""Films as message blocks: frames with their times, or the film itself."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from langchain_kimi.content.cost import PICTURE_OVERHEAD, picture_tokens
from langchain_kimi.content.encoding import encode_jpeg
from langchain_kimi.content.footage import Footage, Source, opened, timestamp
from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.content.pictures import picture_block
from langchain_kimi.content.scenes import scene_frames
from langchain_kimi.content.sources import link, read_bytes
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from langchain_kimi.content.cache import Encoded

__all__ = ["Frame", "Sampling", "video", "video_frames"]

Sampling = Literal["budget", "rate", "scene", "keyframe", "native"]

_MOST_PER_SECOND = 2.0
"""What Kimi's own preprocessor samples; more frames show it little."""
_MOST_FRAMES = 2_048
_LARGE, _SMALL, _MIDDLE = 896, 448, 640
"""Longest edges: Kimi's report gives 128 frames of 896 pixels for short films and 2,048 of 448 for
long ones; the middle one is for scenes, whose number is not known beforehand."""
_BESIDE = PICTURE_OVERHEAD + 10
"""Tokens of a frame's time and marks."""
_QUALITY = 80
_WHOLE = 0.9
"""The share of its stated length that a film has to have; the rest may be sound or rounding."""
_DEFAULT = MediaLimits()


@dataclass(frozen=True)
class Frame:
    """A picture of a film, encoded."""

    seconds: float
    picture: Encoded


def video(
    source: Source | None = None,
    *,
    url: str | None = None,
    file_id: str | None = None,
    by: Sampling = "budget",
    max_tokens: int = 32_000,
    rate: float = 1.0,
    start: float = 0.0,
    end: float | None = None,
    longest_edge: int | None = None,
    limits: MediaLimits = _DEFAULT,
    name: str | None = None,
    pinned: bool = False,
) -> list[dict[str, Any]]:
    """Return a film as content blocks: each frame behind a text block with its time.

    The times are written `hh:mm:ss.fff`. A film on disk is streamed; memory holds a few decoded
    frames and the encoded ones that are kept.

    Args:
        source: A path or the bytes.
        url: Instead of a source: a link that the server fetches, where it takes films.
        file_id: Instead of a source: an uploaded file (Moonshot).
        by: How frames are chosen. `budget`: evenly, as many and as large as `max_tokens` allows.
            `rate`: `rate` a second. `scene`: one a scene. `keyframe`: those that stand on their
            own, the cheapest to find. `native`: none, the film goes as it is to an endpoint that
            takes films.
        max_tokens: What the frames may cost; never exceeded. Of more scenes or key frames than
            that an even choice is sent.
        rate: Frames a second for `by="rate"`.
        start: Seconds from which on frames are taken.
        end: Seconds up to which frames are taken.
        longest_edge: Pixels of a frame's longer side; chosen by the budget when left out.
        limits: Bounds of frames and files.
        name: What error messages and stubs call it; by default the file's name.
        pinned: Whether trimming a conversation must keep it.

    Raises:
        KimiInvalidInputError: It is no film, is damaged, has no frames, or the budget does not
            hold what was asked for.
        ImportError: PyAV is not installed.
    """
    linked = link("video", source, url, file_id)
    extras: dict[str, Any] = {"pinned": True} if pinned else {}
    if linked is not None or source is None:
        extras |= {"name": name} if name else {}
        return [{"type": "video", **(linked or {}), **({"extras": extras} if extras else {})}]
    if by == "native":
        return [_native(source, limits, name, extras)]
    blocks: list[dict[str, Any]] = []
    for frame in video_frames(
        source,
        by=by,
        max_tokens=max_tokens,
        rate=rate,
        start=start,
        end=end,
        longest_edge=longest_edge,
        limits=limits,
        name=name,
    ):
        time = timestamp(frame.seconds)
        blocks.append({"type": "text", "text": time})
        blocks.append(picture_block(frame.picture, name=time, pinned=pinned))
    return blocks


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """Which frames are wanted."""

    by: Sampling
    max_tokens: int
    rate: float
    first: float
    last: float
    longest_edge: int | None

    @property
    def seconds(self) -> float:
        return self.last - self.first


def video_frames(
    source: Source,
    *,
    by: Sampling = "budget",
    max_tokens: int = 32_000,
    rate: float = 1.0,
    start: float = 0.0,
    end: float | None = None,
    longest_edge: int | None = None,
    limits: MediaLimits = _DEFAULT,
    name: str | None = None,
) -> list[Frame]:
    """Choose frames of a film.

    Args:
        source: A path or the bytes.
        by: As for `video`; not `native`.
        max_tokens: What the frames may cost.
        rate: Frames a second for `by="rate"`.
        start: Seconds from which on frames are taken.
        end: Seconds up to which frames are taken.
        longest_edge: Pixels of a frame's longer side.
        limits: Bounds of frames and files.
        name: What error messages call it; by default the file's name.

    Raises:
        KimiInvalidInputError: As for `video`.
        ImportError: PyAV is not installed.
    """
    with opened(source, max_pixels=limits.max_pixels, name=name) as footage:
        first, last = _span(footage, start, end)
        choice = _Choice(
            by=by, max_tokens=max_tokens, rate=rate, first=first, last=last,
            longest_edge=longest_edge,
        )  # fmt: skip
        if by in ("budget", "rate"):
            frames = _timed(footage, choice)
        elif by in ("scene", "keyframe"):
            frames = _found(footage, choice)
        else:
            msg = f"by={by!r}: frames are chosen by 'budget', 'rate', 'scene' or 'keyframe'"
            raise KimiInvalidInputError(msg)
        if not frames:
            msg = f"{footage.name} has no frames from {first} s to {last} s"
            raise KimiInvalidInputError(msg)
        return frames


def _native(
    source: Source, limits: MediaLimits, name: str | None, extras: dict[str, Any]
) -> dict[str, Any]:
    data, found = read_bytes(source, kind="video", most=limits.max_source_bytes)
    with opened(data, max_pixels=limits.max_pixels, name=name or found) as footage:
        mime_type = footage.mime_type
    if name or found:
        extras = extras | {"name": name or found}
    encoded = base64.b64encode(data).decode("ascii")
    block = {"type": "video", "base64": encoded, "mime_type": mime_type}
    return {**block, **({"extras": extras} if extras else {})}


def _span(footage: Footage, start: float, end: float | None) -> tuple[float, float]:
    """Return from when to when frames are taken."""
    length = footage.length()
    if not length:
        msg = f"{footage.name} has no frames that last: it is 0 s long; image() takes a picture"
        raise KimiInvalidInputError(msg)
    last = length if end is None else min(end, length)
    if not 0 <= start < last:
        until = "its end" if end is None else f"{end} s"
        msg = (
            f"{footage.name} is {length:.3f} s long and has no frames from {start} s to {until}; "
            "give 0 <= start < end"
        )
        raise KimiInvalidInputError(msg)
    return start, last


def _timed(footage: Footage, choice: _Choice) -> list[Frame]:
    """Take frames at even distances."""
    wanted = _wanted(choice)
    edge = _edge(footage, wanted, choice)
    count = min(wanted, _affordable(footage, edge, choice), _MOST_FRAMES)
    if choice.by == "budget":
        times = [choice.first + (at + 0.5) * choice.seconds / count for at in range(count)]
    elif count < wanted:
        msg = (
            f"{footage.name}: max_tokens={choice.max_tokens} holds {count} of the {wanted} frames "
            f"at rate={choice.rate}; lower the rate, raise the budget, or use by='budget'"
        )
        raise KimiInvalidInputError(msg)
    else:
        times = [choice.first + at / choice.rate for at in range(count)]
    frames = [Frame(time, _encoded(frame, edge)) for time, frame in footage.frames_at(times)]
    _check_whole(footage, times[-1])
    return frames


def _wanted(choice: _Choice) -> int:
    if choice.by == "budget":
        return max(1, min(_MOST_FRAMES, math.ceil(choice.seconds * _MOST_PER_SECOND)))
    if choice.rate <= 0:
        msg = f"rate={choice.rate}: give the frames a second, above 0"
        raise KimiInvalidInputError(msg)
    return max(1, math.ceil(choice.seconds * choice.rate))


def _found(footage: Footage, choice: _Choice) -> list[Frame]:
    """Take the frames of scenes, or key frames, and thin them out evenly where they are many."""
    edge = choice.longest_edge or _MIDDLE
    most = _affordable(footage, edge, choice)
    found = (
        scene_frames(footage, choice.first, choice.last)
        if choice.by == "scene"
        else footage.frames(choice.first, choice.last, key_only=True)
    )
    frames: list[Frame] = []
    stride = 1
    for number, (time, frame) in enumerate(found):
        if number % stride:
            continue
        frames.append(Frame(time, _encoded(frame, edge)))
        if len(frames) > most:
            frames = frames[::2]
            stride *= 2
    _check_whole(footage, choice.last)
    return frames


def _check_whole(footage: Footage, last: float) -> None:
    """Raise where the film breaks off well before the time that was to be reached."""
    reached = footage.reached
    if reached is None or reached < _WHOLE * last - 1.0:
        at = "its beginning" if reached is None else timestamp(reached)
        msg = (
            f"{footage.name} breaks off at {at} although it is {footage.length():.3f} s long; "
            "it is cut off or damaged"
        )
        raise KimiInvalidInputError(msg)


def _edge(footage: Footage, count: int, choice: _Choice) -> int:
    """Return the longest edge at which the budget holds all frames, or the smallest one."""
    if choice.longest_edge is not None:
        return choice.longest_edge
    edge = _LARGE
    while edge > _SMALL and count * _cost(footage, edge) > choice.max_tokens:
        edge = max(_SMALL, edge - 28)
    return edge


def _affordable(footage: Footage, edge: int, choice: _Choice) -> int:
    count = choice.max_tokens // _cost(footage, edge)
    if count < 1:
        msg = (
            f"max_tokens={choice.max_tokens} does not hold one frame of {footage.name}, which "
            f"costs {_cost(footage, edge)} tokens at {edge} pixels; raise it or lower longest_edge"
        )
        raise KimiInvalidInputError(msg)
    return count


def _cost(footage: Footage, edge: int) -> int:
    return picture_tokens(*_fitted(footage.width, footage.height, edge)) + _BESIDE


def _fitted(width: int, height: int, edge: int) -> tuple[int, int]:
    scale = min(1.0, edge / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _encoded(frame: VideoFrame, edge: int) -> Encoded:
    width, height = _fitted(frame.width, frame.height, edge)
    untyped: Any = frame
    picture = untyped.to_image(width=width, height=height, interpolation="AREA")
    if frame.rotation:
        picture = picture.rotate(frame.rotation, expand=True)
    return encode_jpeg(picture, quality=_QUALITY)
