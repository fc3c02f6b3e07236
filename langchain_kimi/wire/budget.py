"""How many tokens a reply may take: reasoning spends the same budget as the answer."""

from __future__ import annotations

import json
import logging
from typing import Any

__all__ = ["DEFAULT_INSTANT", "DEFAULT_THINKING", "output_tokens"]

logger = logging.getLogger(__name__)

DEFAULT_THINKING = 32_768
"""Moonshot advises at least 16,000 where the model thinks; too small a budget ends in reasoning
and no answer."""
DEFAULT_INSTANT = 16_384
MARGIN = 1_024
"""Tokens left free between prompt and reply, as the estimate may be low."""
_CHARS_PER_TOKEN = 1.3
"""The densest text measured (Japanese): no prompt has more tokens than its length over this."""
_MEDIA_TOKENS = 5_000
"""More than any picture costs at 4,096 visual tokens a picture."""


def output_tokens(
    body: dict[str, Any],
    *,
    asked: int | None,
    thinking: bool,
    context_window: int,
    limit: int | None,
) -> int:
    """Return the token budget to ask for.

    Args:
        body: The request so far: its messages and tools.
        asked: The caller's budget, None for the default.
        thinking: Whether the model thinks.
        context_window: Tokens of prompt and reply together.
        limit: The endpoint's largest budget.
    """
    budget = asked or (DEFAULT_THINKING if thinking else DEFAULT_INSTANT)
    if limit is not None and budget > limit:
        if asked:
            logger.warning("max_completion_tokens=%d: the endpoint takes %d at most", asked, limit)
        budget = limit
    room = context_window - MARGIN
    if _upper_bound(body) + budget <= room:
        return budget
    left = room - _estimate(body)
    # where nothing is left, the server is asked all the same: it counts, this only estimates
    return min(budget, left) if left >= MARGIN else min(budget, MARGIN)


def _upper_bound(body: dict[str, Any]) -> float:
    characters, media = 0, 0
    for message in body["messages"]:
        content = message.get("content") or ""
        for part in [content] if isinstance(content, str) else content:
            text = part if isinstance(part, str) else part.get("text")
            characters += len(text or "")
            media += text is None
        for call in message.get("tool_calls", ()):
            characters += len(call["function"]["arguments"])
        characters += 40 + max(
            (len(message[key]) for key in ("reasoning", "reasoning_content") if key in message),
            default=0,
        )
    if "tools" in body:
        characters += len(json.dumps(body["tools"], ensure_ascii=False))
    return characters / _CHARS_PER_TOKEN + media * _MEDIA_TOKENS


def _estimate(body: dict[str, Any]) -> int:
    from langchain_kimi.context import estimate_request  # noqa: PLC0415  only near the limit

    return int(estimate_request(body))
