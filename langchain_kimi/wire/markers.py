"""Kimi's own markup, when a server's parser let it through.

Kimi writes tool calls as
`<|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:IDX<|tool_call_argument_begin|>{…}
<|tool_call_end|>…<|tool_calls_section_end|>` and thoughts as `<think>…</think>`. Servers have let
the markers leak into content and into reasoning, with the singular `<|tool_call_section_begin|>`,
without a section, and with headers such as `functionsexec5` (vLLM #38579, SGLang #21377). One
scanner reads whole replies and streams alike: any chunking of the same text gives the same pieces.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langchain_kimi.wire.text import CharacterJoiner

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MarkerScanner", "RawCall", "Span", "read_header"]

_MARKERS = re.compile(
    r"<\|tool_calls?_section_(?:begin|end)\|>"
    r"|<\|tool_call_(?:begin|argument_begin|end)\|>"
    r"|</?think>"
)
_LITERALS = (
    "<|tool_calls_section_begin|>",
    "<|tool_call_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "<think>",
    "</think>",
)
_LONGEST = max(map(len, _LITERALS))
_HEADER = re.compile(r"(?P<name>.*?)(?::(?P<index>\d+))?", re.DOTALL)


@dataclass(frozen=True)
class Span:
    """A run of text that belongs to the answer or to the thoughts."""

    kind: Literal["text", "think"]
    text: str


@dataclass(frozen=True)
class RawCall:
    """A tool call as it stood in the markup."""

    header: str
    arguments: str
    closed: bool = True
    """Whether a marker ended it; False where the reply ended first."""


class MarkerScanner:
    """Splits one channel of a reply into answer, thoughts and tool calls.

    Args:
        channel: `content` knows `<think>` tags, `reasoning` does not.
        await_think_end: Hold the text back until `</think>` or the end, because the server may
            send thoughts as content without an opening tag (no reasoning parser).
        calls: Whether the model may call tools; where it may not, it only talks about the markers.
    """

    stray_think_end = False
    """Whether a `</think>` came that nothing had opened."""
    _tail = ""
    _header = ""
    _bare = False
    _quoted = 0
    """How many `<think>` stand open in the answer as words of it."""
    _blank = True
    """Whether the answer so far, given out or undecided, is blank."""

    def __init__(
        self,
        channel: Literal["content", "reasoning"] = "content",
        *,
        await_think_end: bool = False,
        calls: bool = True,
    ) -> None:
        self._calls = calls
        self._tags = channel == "content"
        self._base: Literal["text", "think"] = "text" if self._tags else "think"
        self._state: Literal["run", "undecided", "section", "header", "arguments"] = (
            "undecided" if await_think_end and self._tags else "run"
        )
        self._characters = CharacterJoiner()
        self._held: list[str] = []

    def feed(self, text: str) -> list[Span | RawCall]:
        """Read a further piece of the channel."""
        text = self._characters.feed(text)
        if not self._tail and self._state == "run" and "<" not in text:
            return self._emit(text)  # the hot path of a stream
        text = self._tail + text
        keep = _marker_prefix(text)
        self._tail = text[len(text) - keep :] if keep else ""
        return self._scan(text[: len(text) - keep] if keep else text)

    def stop_waiting(self) -> list[Span | RawCall]:
        """Give out what was held back: the server tells thoughts apart after all."""
        if self._state != "undecided":
            return []
        self._state = "run"
        return self._emit(self._release())

    def finish(self) -> list[Span | RawCall]:
        """Read the end of the channel."""
        text = self._tail + self._characters.finish()
        if self._state == "run" and not text:
            return []
        pieces = self._scan(text)
        self._tail = ""
        held = self._release()
        if self._state == "arguments":
            pieces.append(RawCall(self._header, held, closed=False))
        elif self._state == "header" and held.strip():
            pieces += self._call_of(held, closed=False)
        elif held.strip() or self._state == "undecided":
            pieces += self._emit(held)
        self._state = "run"
        return pieces

    def _scan(self, text: str) -> list[Span | RawCall]:
        pieces: list[Span | RawCall] = []
        start = 0
        for match in _MARKERS.finditer(text):
            pieces += self._text(text[start : match.start()])
            pieces += self._marker(match.group())
            start = match.end()
        pieces += self._text(text[start:])
        return pieces

    def _emit(self, text: str) -> list[Span | RawCall]:
        if not text:
            return []
        self._blank = self._blank and not text.strip()
        return [Span(self._base, text)]

    def _text(self, text: str) -> list[Span | RawCall]:
        if self._state == "section" and self._bare and text.strip():
            # no section was opened, so what is no call is the answer going on
            self._state = "run"
            text = self._release() + text
        if self._state == "run":
            return self._emit(text)
        if text:
            self._held.append(text)
            if self._state == "undecided":
                self._blank = self._blank and not text.strip()
        return []

    def _release(self) -> str:
        """Return the text that was held, and hold it no longer."""
        held = "".join(self._held)
        self._held.clear()
        return held

    def _marker(self, marker: str) -> list[Span | RawCall]:
        if marker in {"<think>", "</think>"}:
            return self._tag(marker)
        if not self._calls:
            return self._text(marker)
        pieces: list[Span | RawCall] = []
        if marker.endswith("_section_begin|>"):
            pieces = self._leave()
            self._state, self._bare = "section", False
        elif marker == "<|tool_call_begin|>":
            self._bare = self._bare if self._state != "run" else True
            pieces = self._leave()
            self._state = "header"
        elif marker == "<|tool_call_argument_begin|>":
            if self._state in {"header", "section"}:
                self._header = self._release().strip()
                self._state = "arguments"
        elif self._state != "run":
            talk = self._state == "header" and not _may_be_call("".join(self._held))
            pieces = self._leave()
            pieces += self._emit(marker) if talk else []
            closed = marker.endswith("_section_end|>") or self._state == "undecided"
            self._state = "run" if closed else "section"
        return pieces

    def _leave(self) -> list[Span | RawCall]:
        """Close whatever is open: a call becomes a `RawCall`, text in a section stays text."""
        held = self._release()
        state, self._state = self._state, "run"
        if state == "arguments":
            pieces: list[Span | RawCall] = [RawCall(self._header, held)]
        elif state == "header" and held.strip():
            pieces = self._call_of(held)
        elif held.strip():
            pieces = self._emit(held)
        else:
            pieces = []
        if self._tags:
            self._base = "text"  # a call inside the thoughts ends them
        return pieces

    def _call_of(self, held: str, *, closed: bool = True) -> list[Span | RawCall]:
        """Return the call whose header was held, or the words of an answer about the markers."""
        if _may_be_call(held):
            return [_headless(held, closed=closed)]
        return self._emit(f"<|tool_call_begin|>{held}")

    def _tag(self, tag: str) -> list[Span | RawCall]:
        if not self._tags or self._state in {"header", "arguments", "section"}:
            return self._text(tag)
        if tag == "<think>" and self._blank and self._base == "text":
            self._state, self._base = "run", "think"
            self._held.clear()
            return []
        if tag == "</think>" and self._base == "think":
            self._base = "text"
            return []
        if tag == "<think>":
            self._quoted += 1
            return self._text(tag)
        if self._quoted:
            self._quoted -= 1
            return self._text(tag)
        if self._state == "undecided":
            self._state = "run"
            self._blank = True
            self.stray_think_end = True
            return [Span("think", self._release())]
        self.stray_think_end = True
        return self._text(tag)


def read_header(header: str, names: Iterable[str]) -> tuple[str, str | None]:
    """Read `functions.NAME:IDX` and its malformed kin (`functionsexec5`, `functions.exec5`).

    Args:
        header: The text between the call's begin and its arguments.
        names: The tool names of the request; a reading that names one of them wins.

    Returns:
        The tool's name and the call's id, None when the header holds no well-formed one.
    """
    header = "".join(header.split())
    match = _HEADER.fullmatch(header)
    name = match["name"] if match else header
    index = match["index"] if match else None
    bare = name.removeprefix("functions").lstrip(".:")
    bare = _known(name, names) or _known(bare, names) or bare
    well_formed = index is not None and header == f"functions.{bare}:{index}"
    return bare, header if well_formed else None


def _known(header: str, names: Iterable[str]) -> str | None:
    """Return the longest name that the header is, but for digits at its end."""
    shortest = len(header.rstrip("0123456789"))
    fitting = (name for name in names if len(name) >= shortest and header.startswith(name))
    return max(fitting, key=len, default=None)


def _may_be_call(held: str) -> bool:
    """Whether text behind `<|tool_call_begin|>`, without a mark of arguments, is a call."""
    words = held.split()
    return "{" in held or len(words) < 2 or words[0].startswith("functions")


def _headless(text: str, *, closed: bool = True) -> RawCall:
    """A call whose arguments were not set apart: `functions.x:0{"a": 1}`."""
    header, brace, rest = text.partition("{")
    return RawCall(header.strip(), brace + rest, closed)


def _marker_prefix(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of a marker."""
    start = text.rfind("<", max(0, len(text) - _LONGEST))
    if start < 0:
        return 0
    tail = text[start:]
    return (
        len(tail) if any(marker.startswith(tail) and marker != tail for marker in _LITERALS) else 0
    )
