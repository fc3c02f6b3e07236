"""The bytes that a block carries, their digest, and errors that say where the block stands."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from typing import TYPE_CHECKING

from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_kimi.content.blocks import Media

__all__ = ["digest", "naming", "payload", "size_of", "to_bytes"]

MOST_BYTES = MediaLimits().max_source_bytes


def payload(media: Media) -> str | None:
    """Return the base64 text of a medium, None where it only points to its bytes."""
    if media.base64 is not None:
        return media.base64
    url = media.url or ""
    comma = url.find(",", 0, 200) if url.startswith("data:") else -1
    return url[comma + 1 :] if comma > 0 and url[:comma].endswith(";base64") else None


def digest(text: str) -> str:
    """Return the SHA-256 of a base64 text: the key under which its content is known."""
    return hashlib.sha256(text.encode()).hexdigest()


def size_of(text: str) -> int:
    """Return how many bytes a base64 text stands for, to within two."""
    return len(text) * 3 // 4


def to_bytes(text: str) -> bytes:
    """Decode a base64 text.

    Raises:
        KimiInvalidInputError: It is none, or stands for more than is read of a file.
    """
    if size_of(text) > MOST_BYTES:
        msg = f"it has {size_of(text):,} bytes; at most {MOST_BYTES:,} are read from a message"
        raise KimiInvalidInputError(msg)
    try:
        return base64.b64decode(text)
    except ValueError as error:
        msg = f"its base64 text is broken ({error}); encode the bytes with base64.b64encode"
        raise KimiInvalidInputError(msg) from error


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Let errors begin with the place of the block: `messages[2].content[0]`."""
    try:
        yield
    except ImportError as error:
        msg = f"{where}: {error}"
        raise ImportError(msg) from error
    except KimiInvalidInputError as error:
        msg = f"{where}: {error}"
        raise KimiInvalidInputError(msg) from error
