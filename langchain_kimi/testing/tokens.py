"""Approximate token counts: one rule, used for usage, budgets and the tokenizer routes.

Text: one token for every four bytes of UTF-8, rounded up for each text. Kimi's own
tokenizer takes 4.3 characters of English and 1.9 characters (5.7 bytes) of Chinese to a
token, so this errs on the high side.

Pictures: ``ceil(w / 28) * ceil(h / 28)`` after scaling down to at most 16,384 patches of
14 pixels and 7,168 pixels a side, which is the vision tower's own rule: 640x480 costs 414.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_kimi.testing.images import picture_size

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_OF_UNKNOWN_PICTURE = 1024
VOCABULARY = 163_840


def text_tokens(text: str) -> int:
    """Count the tokens of a text."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)


def token_ids(text: str) -> list[int]:
    """Give one made-up id for each token of a text; the same text gives the same ids."""
    data = text.encode("utf-8", "surrogatepass")
    steps = range(0, len(data), BYTES_PER_TOKEN)
    return [int.from_bytes(data[i : i + BYTES_PER_TOKEN], "big") % VOCABULARY for i in steps]


def picture_tokens(width: int, height: int) -> int:
    """Count the tokens of a picture of this size in pixels."""
    patches = max(1, (width // 14) * (height // 14))
    scale = min(1.0, math.sqrt(16_384 / patches), 7_168 / width, 7_168 / height)
    return math.ceil(width * scale / 28) * math.ceil(height * scale / 28)


def prompt_texts(body: Mapping[str, Any]) -> list[str]:
    """Collect all texts of a chat request that the model reads."""
    texts = [
        text
        for message in body.get("messages") or ()
        if isinstance(message, Mapping)
        for text in _message_texts(message)
    ]
    if body.get("tools"):
        texts.append(json.dumps(body["tools"], ensure_ascii=False, sort_keys=True))
    return texts


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Count the prompt tokens of a chat request, pictures included."""
    messages = body.get("messages") or ()
    text = sum(text_tokens(text) for text in prompt_texts(body))
    pictures = sum(_picture_tokens(message.get("content")) for message in messages)
    return text + pictures + TOKENS_PER_MESSAGE * len(messages)


def _message_texts(message: Mapping[str, Any]) -> list[str]:
    content = message.get("content")
    texts = [content] if isinstance(content, str) else []
    if isinstance(content, Sequence) and not isinstance(content, str):
        texts = [part["text"] for part in content if isinstance(part.get("text"), str)]
    texts += [
        message[field]
        for field in ("reasoning_content", "reasoning", "tool_call_id")
        if isinstance(message.get(field), str)
    ]
    for made in message.get("tool_calls") or ():
        function = made.get("function") or {}
        texts += [str(made.get("id") or ""), str(function.get("arguments") or "")]
    return texts


def _picture_tokens(content: Any) -> int:
    if not isinstance(content, list):
        return 0
    total = 0
    for part in content:
        if part.get("type") != "image_url":
            continue
        size = picture_size(part.get("image_url"))
        total += picture_tokens(*size) if size else TOKENS_OF_UNKNOWN_PICTURE
    return total
