"""How many tokens a reply may take: reasoning spends the same budget as the answer."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_INSTANT", "DEFAULT_THINKING", "estimate_request", "output_tokens"]

logger = logging.getLogger(__name__)

DEFAULT_THINKING = 32_768
"""Moonshot advises at least 16,000 where the model thinks; too small a budget ends in reasoning
and no answer."""
DEFAULT_INSTANT = 16_384
MARGIN = 1_024
"""Tokens left free between prompt and reply, as the estimate may be low."""
_CHARS_PER_TOKEN = 1.3
"""The densest text measured (Japanese): no prompt has more tokens than its length over this."""
_AROUND_MESSAGE = 40
"""More characters than what the template puts around a message is worth."""
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
    left = room - estimate_request(body)
    # where nothing is left, the server is asked all the same: it counts, this only estimates
    return min(budget, left) if left >= MARGIN else min(budget, MARGIN)


def estimate_request(body: Mapping[str, Any]) -> int:
    """Estimate the prompt tokens of a request; `langchain_kimi.context` says how good it is."""
    from langchain_kimi.context import estimate_request as estimate  # noqa: PLC0415  not at import

    return estimate(body)


def _upper_bound(body: Mapping[str, Any]) -> float:
    """More tokens than the prompt has, for next to no work."""
    characters = media = 0
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, str):
            characters += len(content)
        else:
            texts = [part["text"] for part in content or () if "text" in part]
            characters += sum(map(len, texts))
            media += len(content or ()) - len(texts)
        if message["role"] == "assistant":
            characters += len(message.get("reasoning_content") or message.get("reasoning") or "")
            for call in message.get("tool_calls", ()):
                characters += len(call["id"]) + len(call["function"]["arguments"])
        characters += _AROUND_MESSAGE
    if "tools" in body:
        characters += len(json.dumps(body["tools"], ensure_ascii=False))
    return characters / _CHARS_PER_TOKEN + media * _MEDIA_TOKENS
