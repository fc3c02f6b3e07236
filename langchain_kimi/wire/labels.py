"""Numbers for the pictures of a message whose server puts them all before its text.

vLLM's chat templates of Kimi get text as one string: "between this <picture> and that <picture>"
arrives as two pictures and "between this and that". A label where each picture stood lets the text
refer to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_kimi.endpoints import Endpoint

__all__ = ["is_time", "with_labels"]

_TIME = re.compile(r"\d{2,}:[0-5]\d:[0-5]\d\.\d{3}", re.ASCII)


def is_time(part: dict[str, Any]) -> bool:
    """Whether a part is the time that stands before a film's frame (`00:01:02.500`)."""
    return part["type"] == "text" and _TIME.fullmatch(part["text"]) is not None


def with_labels(message: dict[str, Any], endpoint: Endpoint) -> dict[str, Any]:
    """Return the message with `Image 1:`, `Image 2:` … before its pictures, where it needs them.

    It does where it holds several pictures with text between them and the endpoint hoists
    pictures. The time of a film's frame becomes part of its label; a label that the caller wrote
    is not repeated.

    Args:
        message: A message in the shape of the chat routes; left untouched.
        endpoint: Where it goes.
    """
    content = message.get("content")
    if not (endpoint.hoists_pictures and isinstance(content, list) and _is_interleaved(content)):
        return message
    parts: list[dict[str, Any]] = []
    number = 0
    for part in content:
        if part["type"] == "image_url":
            number += 1
            label = f"Image {number}"
            if parts and is_time(parts[-1]):
                label += f", {parts.pop()['text']}"
            if not (parts and _ends_with(parts[-1], f"{label}:")):
                parts.append({"type": "text", "text": f"{label}:"})
        parts.append(part)
    return {**message, "content": parts}


def _is_interleaved(parts: list[dict[str, Any]]) -> bool:
    places = [place for place, part in enumerate(parts) if part["type"] == "image_url"]
    if len(places) < 2:
        return False
    return any(part["type"] == "text" for part in parts[places[0] : places[-1]])


def _ends_with(part: dict[str, Any], label: str) -> bool:
    text: str = part.get("text", "")
    return text.rstrip().endswith(label)
