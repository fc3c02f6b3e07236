"""Token usage, wherever a server put it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_usage"]


def read_usage(data: Mapping[str, Any]) -> UsageMetadata | None:
    """Read usage from a reply or a stream event.

    Moonshot streams it in `choices[0].usage` with a top-level `cached_tokens`; vLLM sends a
    chunk with `choices: []` and `completion_tokens_details.reasoning_tokens`.
    """
    usage = data.get("usage")
    if not usage:
        choices = data.get("choices") or [{}]
        usage = choices[0].get("usage")
    if not isinstance(usage, dict):
        return None
    given = _count(usage, "prompt_tokens") or 0
    made = _count(usage, "completion_tokens") or 0
    result = UsageMetadata(
        input_tokens=given,
        output_tokens=made,
        total_tokens=_count(usage, "total_tokens") or given + made,
    )
    cached = _count(usage, "cached_tokens")
    if cached is None:
        cached = _count(usage, "prompt_tokens_details", "cached_tokens")
    if cached is not None:
        result["input_token_details"] = InputTokenDetails(cache_read=cached)
    reasoning = _count(usage, "completion_tokens_details", "reasoning_tokens")
    if reasoning is None:
        reasoning = _count(usage, "reasoning_tokens")
    if reasoning is not None:
        result["output_token_details"] = OutputTokenDetails(reasoning=reasoning)
    return result


def _count(usage: dict[str, Any], key: str, detail: str | None = None) -> int | None:
    value = usage.get(key)
    if detail is not None:
        value = value.get(detail) if isinstance(value, dict) else None
    return value if isinstance(value, int) else None
