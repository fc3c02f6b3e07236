"""Media replaced by a line that says what was there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import BaseMessage

from langchain_kimi.content.blocks import Media, is_pinned, read_media_block
from langchain_kimi.content.headers import encoded_size

__all__ = ["KEPT_MEDIA", "is_pinned_message", "stub_media"]

KEPT_MEDIA = 2
"""How many of the newest media stay where the caller says nothing else."""


def stub_media(messages: Sequence[BaseMessage], *, keep: int = KEPT_MEDIA) -> list[BaseMessage]:
    """Replace all but the newest media by a line that says what was there.

    For a request that is too large; `ChatKimi` does so by itself, once, where a server says 413 or
    that the context overflows. Pinned media stay, and count among the newest.

    Args:
        messages: The conversation; left untouched. A message without a change is the same object.
        keep: How many of the newest media stay.
    """
    left = keep
    result: list[BaseMessage] = []
    for message in reversed(messages):
        if isinstance(message.content, str):
            result.append(message)
            continue
        pinned = bool(message.additional_kwargs.get("pinned"))
        blocks: list[Any] = []
        changed = False
        for block in reversed(message.content):
            media = read_media_block(block) if isinstance(block, dict) else None
            if media is None or media.text is not None:
                blocks.append(block)
                continue
            stays = left > 0 or pinned or is_pinned(block)
            left -= 1
            changed = changed or not stays
            blocks.append(block if stays else {"type": "text", "text": _stub(media)})
        blocks.reverse()
        result.append(message.model_copy(update={"content": blocks}) if changed else message)
    result.reverse()
    return result


def is_pinned_message(message: BaseMessage) -> bool:
    """Tell whether a message is to stay when a conversation is shortened.

    Args:
        message: Pinned as a whole, by `additional_kwargs={"pinned": True}`, or by one of its media.
    """
    if message.additional_kwargs.get("pinned"):
        return True
    return not isinstance(message.content, str) and any(map(is_pinned, message.content))


def _stub(media: Media) -> str:
    size = encoded_size(media.base64) if media.base64 else None
    if size is None and media.url and media.url.startswith("data:"):
        size = encoded_size(media.url, media.url.find(",", 0, 200) + 1)
    facts = [media.name, media.mime_type, f"{size[0]}x{size[1]}" if size else None]
    told = ", ".join(fact for fact in facts if fact)
    return f"[{media.kind}{f' ({told})' if told else ''}: left out to save space]"
