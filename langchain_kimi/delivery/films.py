"""Films as an endpoint takes them: whole on Moonshot, as frames with their times elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_kimi.content.films import video
from langchain_kimi.delivery.payload import digest, payload, size_of, to_bytes
from langchain_kimi.delivery.recent import Recent
from langchain_kimi.delivery.uploads import Upload
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from langchain_kimi.content.blocks import Media

__all__ = ["FRAMES", "frames", "whole"]

FRAMES: Recent[list[dict[str, Any]]] = Recent(64_000_000)
"""Sampled films by content, for the whole process; they weigh what their base64 text does."""

INLINE_BYTES = 1_000_000
"""Up to here a film goes inline: it spares a request and one of the 1,000 files that Moonshot
keeps for a user. Moonshot states no limit for films inline (inferred); a longer one would be sent
again with every turn."""

MOST_BYTES = 100_000_000
"""The largest file that Moonshot takes (its files API: 100 MB)."""


def whole(media: Media) -> Upload | None:
    """Decide how a film goes to an endpoint that takes films.

    Returns:
        The upload that it needs, or None where the block can go as it is.

    Raises:
        KimiInvalidInputError: It is no film, or larger than a file may be.
    """
    text = payload(media) or ""
    mime_type = media.mime_type or "video/mp4"
    if not mime_type.startswith("video/"):
        msg = f"the film is {mime_type}; send it as a block of the type that it is"
        raise KimiInvalidInputError(msg)
    if size_of(text) > MOST_BYTES:
        msg = (
            f"the film has {size_of(text):,} bytes; Moonshot takes files of at most "
            f"{MOST_BYTES:,}. Send frames of it: langchain_kimi.content.video(path)"
        )
        raise KimiInvalidInputError(msg)
    if size_of(text) <= INLINE_BYTES:
        return None
    return Upload(kind="video", mime_type=mime_type, text=text, name=media.name)


def frames(media: Media) -> list[dict[str, Any]]:
    """Sample a film: a line that says so, then each frame behind its time.

    Raises:
        KimiInvalidInputError: It is no film, is damaged, or has no frames.
        ImportError: PyAV is not installed.
    """
    text = payload(media) or ""
    key = digest(text)
    sampled = FRAMES.get(key)
    if sampled is None:
        sampled = video(to_bytes(text), name=media.name)
        FRAMES.put(key, sampled, weight=sum(len(block.get("base64", "")) for block in sampled))
    count = sum(block["type"] == "image" for block in sampled)
    called = f" {media.name}" if media.name else ""
    lead = f"[film{called}, as {count} frames, each behind its time]"
    return [{"type": "text", "text": lead}, *sampled]
