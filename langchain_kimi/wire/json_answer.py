"""The JSON in an answer, out of fences and the words around it."""

from __future__ import annotations

import re

from langchain_kimi.wire.text import EscapeMender

__all__ = ["JsonFilter"]

_FOLLOWS = {"{": '"}', "[": '"{['}
"""What stands behind the bracket that begins JSON, and in no remark (`[1]`, `{name}`)."""
_START = re.compile(r'\{\s*(?:(["}])|\Z)|\[\s*(?:(["{\[])|\Z)')
"""What begins JSON; at the end of a piece, what may."""
_TOKENS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class JsonFilter:
    """Passes on the first JSON object or array of a text, as it arrives.

    Text before it is held until it comes; text behind it is dropped. A text without one is passed
    on whole at its end, so that nothing is lost.
    """

    def __init__(self) -> None:
        self._before: list[str] = []
        self._undecided: list[str] = []  # a bracket, and the blanks behind it
        self._escapes = EscapeMender()
        self._depth = 0
        self._in_string = False
        self._state = "before"

    def feed(self, text: str) -> str:
        """Take a piece, return what of it is JSON."""
        if self._state == "before":
            text = self._find(text)
        return self._inside(self._escapes.feed(text)) if self._state == "inside" else ""

    def finish(self) -> str:
        """Take the end, return the rest of the JSON, or the text if no JSON came."""
        if self._state == "before":
            return "".join([*self._before, *self._undecided])
        return self._inside(self._escapes.finish()) if self._state == "inside" else ""

    def _find(self, text: str) -> str:
        """Look for the beginning, return the text from there."""
        if self._undecided:
            follows = text.lstrip()[:1]
            if not follows:
                self._undecided.append(text)
                return ""
            if follows in _FOLLOWS[self._undecided[0][0]]:
                self._state = "inside"
                return "".join([*self._undecided, text])
            self._before += self._undecided
            self._undecided.clear()
        match = _START.search(text)
        start = match.start() if match else len(text)
        self._before.append(text[:start])
        if match and match.lastindex:
            self._state = "inside"
            return text[start:]
        if match:
            self._undecided.append(text[start:])
        return ""

    def _inside(self, text: str) -> str:
        """Return what of the text, which ends in no escape, belongs to the JSON."""
        for match in _TOKENS.finditer(text):
            mark = match.group()
            if not self._in_string:
                mark = mark[-1]  # a backslash escapes inside of strings only
            if mark == '"':
                self._in_string = not self._in_string
            elif self._in_string:
                continue
            elif mark in "{[":
                self._depth += 1
            elif mark in "}]":
                self._depth -= 1
                if self._depth == 0:
                    self._state = "behind"
                    return text[: match.end()]
        return text
