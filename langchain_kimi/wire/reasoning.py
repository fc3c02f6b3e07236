"""Reasoning: read under every name it has, kept in one place, found again in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages import AIMessage

__all__ = ["KEY", "read_reasoning", "reasoning_of"]

KEY = "reasoning_content"
"""Where a message keeps its reasoning: `additional_kwargs[KEY]`, the name the field agrees on."""


def read_reasoning(payload: Mapping[str, Any]) -> str | None:
    """Read the reasoning of a reply message or of a stream delta.

    Strings only: vLLM in transition sent `reasoning_content: null` beside `reasoning`. An empty
    string counts: "thought, but nothing" must go back as such.

    Returns:
        The reasoning, or None if there is none.
    """
    found = None
    for key in (KEY, "reasoning"):
        value = payload.get(key)
        if isinstance(value, str):
            if value:
                return value
            found = value
    details = payload.get("reasoning_details")
    if isinstance(details, list):
        texts = [
            text
            for item in details
            if isinstance(item, dict)
            and isinstance(text := item.get("text", item.get("summary")), str)
        ]
        if texts:
            return "".join(texts)
    return found


def reasoning_of(message: AIMessage) -> str | None:
    """Find the reasoning that a message in history carries, whatever made the message.

    Looks in `additional_kwargs`, then in content blocks: `reasoning` (v1 messages) and
    `thinking` (other providers).
    """
    kept = message.additional_kwargs.get(KEY)
    if isinstance(kept, str):
        return kept
    if isinstance(message.content, str):
        return None
    parts = [
        block.get(block["type"])
        for block in message.content
        if isinstance(block, dict) and block.get("type") in {"reasoning", "thinking"}
    ]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else None
