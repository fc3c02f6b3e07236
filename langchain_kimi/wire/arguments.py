"""Arguments of tool calls: Kimi's loose JSON in, strict JSON out, and never half a call.

langchain-core completes cut JSON while it merges chunks (`{"city": "Par` becomes a valid call).
That is right for showing a call that grows, and wrong for a call that ends so. `ArgumentStream`
therefore hands out only text that core reads the way `parse_arguments` does, and breaks a call
that is not valid with a last piece that no JSON reader completes.
"""

from __future__ import annotations

import json
import re
from typing import Any

from langchain_kimi.wire.shape import kind_of
from langchain_kimi.wire.text import CharacterJoiner, EscapeMender, mend_escapes

__all__ = ["ArgumentStream", "parse_arguments"]

_CONTROL = re.compile(r"[\x00-\x1f]")
_TOKENS = re.compile(r'\\.|["{}\[\]]')


def parse_arguments(raw: Any) -> tuple[dict[str, Any] | None, str | None]:
    """Parse arguments as servers send them: a string, an object, nothing.

    Raw control characters in strings are taken, as Kimi writes them and Moonshot's own client
    reads them; null and the empty string are no arguments; an object encoded twice is decoded;
    an escape of half a character becomes U+FFFD.

    Returns:
        The arguments and None, or None and the reason why they are not valid.
    """
    for _ in range(2):
        if raw is None or (isinstance(raw, str) and raw.strip() in {"", "null"}):
            return {}, None
        if isinstance(raw, dict):
            return raw, None
        if not isinstance(raw, str):
            return None, f"arguments are a JSON {kind_of(raw)}; an object is needed"
        try:
            raw = json.loads(mend_escapes(raw), strict=False)
        except ValueError as error:  # no JSON, or a number of more digits than Python reads
            return None, f"arguments are not valid JSON: {error}"
        except RecursionError:
            return None, "arguments are nested too deeply to be read"
    if isinstance(raw, dict):
        return raw, None
    return None, f"arguments are a JSON {kind_of(raw)}; an object is needed"


class ArgumentStream:
    """The arguments of one call as they arrive.

    Feed it the pieces; what it returns, joined, is strict JSON that means the same.
    """

    def __init__(self) -> None:
        self._raw: list[str] = []
        self._passed: list[str] = []
        self._live: bool | None = None  # None until the first character that is no space
        self._characters = CharacterJoiner()
        self._escapes = EscapeMender()
        self._held_back = ""  # what waited when the end came
        self._uncounted: list[str] = []  # text whose brackets are not counted yet
        self._in_string = False
        self._escape = False
        self._open: list[str] = []

    def feed(self, piece: str) -> str:
        """Take a piece, return what can be passed on now."""
        piece = self._characters.feed(piece)
        if not piece:
            return ""
        self._raw.append(piece)
        if self._live is None:
            piece = piece.lstrip()
            if not piece:
                return ""
            # anything but an object (null, a string, rubbish) waits for the end
            self._live = piece.startswith("{")
        if not self._live:
            return ""
        piece = self._escapes.feed(piece)
        if _CONTROL.search(piece):
            piece = self._escape_controls(piece)
        else:
            self._uncounted.append(piece)
        self._passed.append(piece)
        return piece

    def passed_on(self) -> str:
        """All that `feed` has returned so far."""
        return "".join(self._passed)

    def finish(self) -> tuple[str, str | None]:
        """Take the end.

        Returns:
            The last piece to pass on, and the reason why the call is not valid, or None.
        """
        self._end()
        arguments, reason = parse_arguments(self.text())
        if reason is None:
            return "" if self._live else json.dumps(arguments, ensure_ascii=False), None
        return self.break_off(), reason

    def break_off(self) -> str:
        """Return a last piece that makes what was passed on so far no valid arguments."""
        self._end()
        return self._breaking_piece() if self._live else self.text() + "]"

    def text(self) -> str:
        """What arrived so far, as it arrived."""
        return "".join(self._raw)

    def _end(self) -> None:
        """Take what waited for more: nothing follows it."""
        rest = self._characters.finish()
        if rest:
            self._raw.append(rest)
        waited = self._escapes.finish() + rest
        self._held_back += waited
        self._uncounted.append(waited)

    def _escape_controls(self, piece: str) -> str:
        self._catch_up()
        out: list[str] = []
        start = 0
        for match in _CONTROL.finditer(piece):
            self._count(piece[start : match.start()])
            out.append(piece[start : match.start()])
            char = match.group()
            if self._in_string and not self._escape:
                out.append(json.dumps(char)[1:-1])
            else:
                out.append(char)
                self._escape = False
            start = match.end()
        self._uncounted.append(piece[start:])
        out.append(piece[start:])
        return "".join(out)

    def _catch_up(self) -> None:
        """Count what was passed on without a look at its brackets."""
        uncounted = "".join(self._uncounted)
        self._uncounted.clear()
        self._count(uncounted)

    def _count(self, text: str) -> None:
        """Follow strings and brackets through `text`, which holds no control characters."""
        if not text:
            return
        text = text[1:] if self._escape else text
        for match in _TOKENS.finditer(text):
            mark = match.group()
            if not self._in_string:
                mark = mark[-1]  # a backslash escapes inside of strings only
            if mark == '"':
                self._in_string = not self._in_string
            elif not self._in_string and mark in "{[":
                self._open.append("}" if mark == "{" else "]")
            elif not self._in_string and mark in "}]" and self._open:
                self._open.pop()
        backslashes = len(text) - len(text.rstrip("\\"))
        self._escape = self._in_string and backslashes % 2 == 1

    def _breaking_piece(self) -> str:
        """A closing bracket that matches nothing: every JSON reader gives up on it."""
        self._catch_up()
        piece = ("n" if self._escape else "") + ('"' if self._in_string else "")
        piece += "}" if self._open and self._open[-1] == "]" else "]"
        return self._held_back + piece
