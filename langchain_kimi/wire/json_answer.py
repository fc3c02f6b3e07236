"""The JSON in an answer, out of fences and the words around it."""

from __future__ import annotations

import re

__all__ = ["JsonFilter"]

_START = re.compile(r'\{\s*(?:(["}])|\Z)|\[\s*(?:(["{\[])|\Z)')
"""What begins JSON and no remark in brackets (`[1]`, `{name}`); at the end of a piece, what may."""
_TOKENS = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class JsonFilter:
    """Passes on the first JSON object or array of a text, as it arrives.

    Text before it is held until it comes; text behind it is dropped. A text without one is passed
    on whole at its end, so that nothing is lost.
    """

    def __init__(self) -> None:
        self._before: list[str] = []
        self._undecided = ""
        self._depth = 0
        self._in_string = False
        self._escape = False
        self._state = "before"

    def feed(self, text: str) -> str:
        """Take a piece, return what of it is JSON."""
        if self._state == "behind":
            return ""
        if self._state == "before":
            text = self._undecided + text
            match = _START.search(text)
            start = match.start() if match else len(text)
            self._before.append(text[:start])
            self._undecided = text[start:]
            if match is None or match.lastindex is None:
                return ""
            self._state = "inside"
            text = self._undecided
        return self._inside(text)

    def finish(self) -> str:
        """Take the end, return the text if no JSON came."""
        return "".join([*self._before, self._undecided]) if self._state == "before" else ""

    def _inside(self, text: str) -> str:
        if not text:
            return ""
        start = int(self._escape)
        for match in _TOKENS.finditer(text, start):
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
        backslashes = len(text) - len(text[start:].rstrip("\\")) - start
        self._escape = self._in_string and backslashes % 2 == 1
        return text
