"""Faults: parts of a script that make a reply go wrong the way real servers do.

Four sorts, by where they stand (`Place`): whole replies (`drop`, and the HTTP errors of
`failures`), delays before the reply (`hang`, `slow_first_token`, `accepted`), events at a place
in the stream (`pause`, `comment`, `raw`, `malformed_chunk`, `error_event`, `cut`, `end_early`),
and changes to the turn they stand in (`finish`, `leaked`, `missing_ids`, …).
Any of them can also be given to the server as ``faults=[…]``: then every turn has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from langchain_kimi.testing.script import Part, Place


@dataclass(frozen=True)
class Drop(Part):
    """The connection closes without a reply."""

    place: ClassVar[Place] = Place.ALONE


@dataclass(frozen=True)
class Hang(Part):
    """Silence before the response headers."""

    seconds: float | None
    place: ClassVar[Place] = Place.FRONT


@dataclass(frozen=True)
class SlowFirstToken(Part):
    """Silence between the response headers and the first token."""

    seconds: float
    place: ClassVar[Place] = Place.FRONT


@dataclass(frozen=True)
class Accepted(Part):
    """A 202 with NVCF-REQID, and this many more 202s when polled."""

    polls: int
    place: ClassVar[Place] = Place.FRONT


@dataclass(frozen=True)
class Pause(Part):
    """Silence in the middle of a stream; None lasts until the client goes."""

    seconds: float | None


@dataclass(frozen=True)
class Raw(Part):
    """Bytes written into the stream as they are."""

    data: bytes


@dataclass(frozen=True)
class Malformed(Part):
    """An event, or a whole body, whose JSON is cut."""


@dataclass(frozen=True)
class ErrorEvent(Part):
    """An ``{"error": …}`` event in a stream that began with status 200."""

    message: str
    place: ClassVar[Place] = Place.LAST


@dataclass(frozen=True)
class Cut(Part):
    """The connection drops: here, or after so many bytes or events of the body."""

    after_bytes: int | None
    after_chunks: int | None
    place: ClassVar[Place] = Place.LAST


@dataclass(frozen=True)
class EndEarly(Part):
    """The body ends cleanly, but without a finish_reason (and without ``[DONE]``)."""

    done: bool
    place: ClassVar[Place] = Place.LAST


@dataclass(frozen=True)
class Finish(Part):
    """This finish_reason instead of the true one."""

    reason: str | None


@dataclass(frozen=True)
class Chunked(Part):
    """Another size of the text pieces of this turn, in characters; None for one piece."""

    size: int | None


@dataclass(frozen=True)
class Framed(Part):
    """Another outer form of the server-sent events of this turn."""

    newline: str = "\n"
    event: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class Leaked(Part):
    """The calls come as raw markers in the text instead of as ``tool_calls``."""

    where: Literal["content", "reasoning"]
    section: str | None
    header: str


def drop() -> Drop:
    """Close the connection without a reply."""
    return Drop()


def hang(seconds: float | None = None) -> Hang:
    """Stay silent before the headers, for ever unless seconds are given."""
    return Hang(seconds)


def slow_first_token(seconds: float) -> SlowFirstToken:
    """Send the headers at once and the first token later."""
    return SlowFirstToken(seconds)


def accepted(polls: int = 1) -> Accepted:
    """Answer 202 with NVCF-REQID; the reply is there after so many 202s of the status path."""
    return Accepted(polls)


def pause(seconds: float | None = None) -> Pause:
    """Stay silent at this place of the stream, for ever unless seconds are given."""
    return Pause(seconds)


def comment(text: str = "keep-alive") -> Raw:
    """Write an SSE comment at this place."""
    return Raw(f": {text}\n\n".encode())


def raw(data: bytes | str) -> Raw:
    """Write these bytes into the stream at this place."""
    return Raw(data.encode() if isinstance(data, str) else data)


def malformed_chunk() -> Malformed:
    """Write an event whose data is cut JSON; a reply that is no stream is cut JSON itself."""
    return Malformed()


def error_event(message: str = "Internal server error") -> ErrorEvent:
    """End the stream with an error event, then ``[DONE]``, as vLLM does."""
    return ErrorEvent(message)


def cut(*, after_bytes: int | None = None, after_chunks: int | None = None) -> Cut:
    """Drop the connection: at this place, or after so many bytes or events of the body."""
    return Cut(after_bytes, after_chunks)


def end_early(*, done: bool = False) -> EndEarly:
    """End the stream cleanly at this place, without a finish_reason.

    Args:
        done: Write ``data: [DONE]`` nevertheless.
    """
    return EndEarly(done)


def finish(reason: str | None) -> Finish:
    """Report this finish_reason, whatever the turn holds; None reports none."""
    return Finish(reason)


def chunked(size: int | None) -> Chunked:
    """Send this turn's text in pieces of so many characters; None sends giant lines."""
    return Chunked(size)


def framed(*, newline: str = "\n", event: str | None = None, comment: str | None = None) -> Framed:
    r"""Write this turn's events in another legal form.

    Args:
        newline: ``"\r\n"`` or ``"\r"`` instead of ``"\n"``.
        event: The value of an ``event:`` line before each ``data:`` line.
        comment: A comment line before each event.
    """
    return Framed(newline, event, comment)


def leaked(
    where: Literal["content", "reasoning"] = "content",
    *,
    section: Literal["plural", "singular"] | None = "plural",
    header: str = "functions.{name}:{index}",
) -> Leaked:
    """Let this turn's calls leak as raw markers into the text.

    Args:
        where: Into the content or into the reasoning.
        section: ``tool_calls_section`` or ``tool_call_section`` tokens, or none.
        header: What stands for the id; ``"functions{name}{index}"`` is the known bad one.
    """
    word = {"plural": "tool_calls_section", "singular": "tool_call_section", None: None}[section]
    return Leaked(where, word, header)
