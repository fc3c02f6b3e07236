"""Token usage, wherever a server put it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.messages.ai import UsageMetadata

__all__ = ["read_usage"]

logger = logging.getLogger(__name__)

_LARGEST = 2**63 - 1
"""What checkpoints and trackers can store."""


def read_usage(data: Mapping[str, Any]) -> UsageMetadata | None:
    """Read usage from a reply or a stream event.

    Moonshot streams it in `choices[0].usage` with a top-level `cached_tokens`; vLLM sends a
    chunk with `choices: []` and `completion_tokens_details.reasoning_tokens`. What is no count is
    left out: a reply is worth more than its bill.
    """
    usage = data.get("usage") or _usage_of_choice(data.get("choices"))
    if not usage:
        return None
    if not isinstance(usage, dict):
        logger.debug("left out the usage: it is no JSON object")
        return None
    given = _count(usage, "prompt_tokens")
    made = _count(usage, "completion_tokens")
    total = _count(usage, "total_tokens")
    if given is made is total is None:
        return None
    given, made = given or 0, made or 0
    result: UsageMetadata = {
        "input_tokens": given,
        "output_tokens": made,
        "total_tokens": total or given + made,
    }
    cached = _count(usage, "cached_tokens")
    if cached is None:
        cached = _count(usage.get("prompt_tokens_details"), "cached_tokens")
    if cached is not None:
        result["input_token_details"] = {"cache_read": cached}
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    if reasoning is None:
        reasoning = _count(usage, "reasoning_tokens")
    if reasoning is not None:
        result["output_token_details"] = {"reasoning": reasoning}
    return result


def _usage_of_choice(choices: Any) -> Any:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first.get("usage") if isinstance(first, dict) else None


def _count(counts: Any, key: str) -> int | None:
    value = counts.get(key) if isinstance(counts, dict) else None
    if value is None:
        return None
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int and 0 <= value <= _LARGEST:  # True is no count
        return value
    logger.debug("left out %s of the usage: it is no count", key)
    return None
