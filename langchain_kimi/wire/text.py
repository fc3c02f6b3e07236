r"""Text that UTF-8 can carry.

JSON spells what lies beyond 16 bits as two escapes (`"\ud83d\ude00"`), so a cut may leave half of
a character, which Python keeps as a lone surrogate. Nothing can encode it later: neither the next
request nor a checkpoint. A half that meets its other half, in the next piece of a stream, becomes
the one character; any other half becomes U+FFFD, the replacement character.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = ["CharacterJoiner", "EscapeMender", "clean", "clean_value", "mend_escapes"]

REPLACEMENT = "\ufffd"
_REPLACEMENT_ESCAPE = r"\ufffd"

_HIGH = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_BEGUN_LOW = r"\\(?:u(?:[dD](?:[c-fC-F][0-9a-fA-F]?)?)?)?"
_ESCAPE = rf"{_HIGH}{_LOW}|(?P<half>{_HIGH}|{_LOW})|\\."
_ESCAPES = re.compile(_ESCAPE, re.DOTALL)
_ESCAPES_OR_BEGUN = re.compile(
    rf"(?P<begun>(?:{_HIGH}(?:{_BEGUN_LOW})?|\\(?:u[0-9a-fA-F]{{0,3}})?)\Z)|{_ESCAPE}", re.DOTALL
)


def clean(text: str) -> str:
    """Return the text with halves of characters joined where they meet, else replaced."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_value(value: Any) -> Any:
    """Return a JSON value with every text in it cleaned; what is clean is not copied."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        cleaned = {clean_value(key): clean_value(item) for key, item in value.items()}
        return value if cleaned == value else cleaned
    if isinstance(value, list):
        items = [clean_value(item) for item in value]
        return value if items == value else items
    return value


def mend_escapes(json_text: str) -> str:
    """Return JSON text with the escapes of half characters replaced, pairs left as they are."""
    if "\\u" not in json_text:
        return json_text
    return _ESCAPES.sub(lambda match: _REPLACEMENT_ESCAPE if match["half"] else match[0], json_text)


class CharacterJoiner:
    """`clean` for a text that comes in pieces: a half waits for the next piece."""

    _half = ""

    def feed(self, piece: str) -> str:
        """Take a piece, return what of the text is decided."""
        if not self._half and piece.isascii():
            return piece
        text = self._half + piece
        self._half = text[-1] if "\ud800" <= text[-1:] <= "\udbff" else ""
        return clean(text[:-1] if self._half else text)

    def finish(self) -> str:
        """Take the end, return what stands in for a half that waited."""
        half, self._half = self._half, ""
        return REPLACEMENT if half else ""


class EscapeMender:
    """`mend_escapes` for a text that comes in pieces: what it returns never ends in an escape."""

    _begun = ""

    def feed(self, piece: str) -> str:
        """Take a piece, return what of the text is decided."""
        if not self._begun and "\\u" not in piece and not piece.endswith("\\"):
            return piece
        text, self._begun = self._begun + piece, ""
        mended: list[str] = []
        start = 0
        for match in _ESCAPES_OR_BEGUN.finditer(text):
            if match["half"]:
                mended += (text[start : match.start()], _REPLACEMENT_ESCAPE)
                start = match.end()
            elif match["begun"]:
                self._begun = match["begun"]
                text = text[: match.start()]
        mended.append(text[start:])
        return "".join(mended)

    def finish(self) -> str:
        """Take the end, return what waited."""
        begun, self._begun = self._begun, ""
        return mend_escapes(begun)
