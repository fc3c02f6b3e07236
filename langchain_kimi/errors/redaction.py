"""Texts and names of a server, without keys and control characters, and bounded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

MASK = "**********"

NAME_LIMIT = 200
"""Characters of a request id, an error type or a parameter's name that an error keeps."""

READ_LIMIT = 32_768
"""Characters of a text that are looked through for keys; what follows is dropped."""

# Long enough that replacing it inside a longer word cannot hit ordinary text.
_LONG_SECRET = 12
# Patterns stay strings: `re` compiles them when the first error asks, not at import.
_ESCAPED = r"\\{0,15}"
_BEARER = r"(?i)\b(bearer|basic)\s+(?!realm\b|error\b)[\w\-.~+/=*]{6,}"
_KEY_LIKE = r"\b(?:nvapi-|sk-|ak-)[\w\-]{6,}"


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace API keys in a text: the given ones, bearer tokens, and what looks like a key."""
    for form in _forms(secrets):
        # JSON inside JSON puts more and more backslashes before what is no letter or digit.
        written = "".join(char if char.isalnum() else _ESCAPED + re.escape(char) for char in form)
        if len(form) < _LONG_SECRET:
            written = rf"(?<!\w){written}(?!\w)"
        text = re.sub(written, MASK, text)
    text = re.sub(_BEARER, rf"\1 {MASK}", text)
    return re.sub(_KEY_LIKE, MASK, text)


def redact_beginning(
    text: str, secrets: Iterable[str], limit: int, *, keep: str | None = None
) -> str:
    """Return the beginning of a text of any length without keys, not even one that was cut.

    Args:
        text: The text.
        secrets: The keys.
        limit: Characters that are returned at most.
        keep: Control characters that may stay; None leaves all.
    """
    secrets = tuple(secrets)
    read = text[:READ_LIMIT]
    clean = redact(read if keep is None else printable(read, keep), secrets)
    if len(text) > READ_LIMIT:
        longest = 2 * max(map(len, _forms(secrets)), default=0)
        clean = clean[: max(0, len(clean) - longest)]
    return clean[:limit]


def clean_name(name: str, secrets: Iterable[str] = ()) -> str:
    """Return a name or id that a server gave: one line, printable, bounded and without keys."""
    return redact_beginning(name, secrets, NAME_LIMIT, keep="").strip()


def printable(text: str, keep: str = "") -> str:
    """Drop control characters, which could steer a terminal or forge lines of a log."""
    if text.isprintable():
        return text
    return "".join(char for char in text if char.isprintable() or char in keep)


def _forms(secrets: Iterable[str]) -> set[str]:
    """Return how the secrets may be written: bare, and in an address."""
    return {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
