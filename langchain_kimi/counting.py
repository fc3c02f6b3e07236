"""How many tokens a prompt has: the server's count where it gives one, else an estimate."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, ToolMessage

from langchain_kimi.errors import KimiError, KimiNotFoundError, KimiTimeoutError
from langchain_kimi.transport import Timeout
from langchain_kimi.wire.budget import estimate_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_core.messages import BaseMessage

    from langchain_kimi.endpoints import Endpoint
    from langchain_kimi.links import Link

__all__ = ["count_tokens", "estimate_slice", "is_sendable"]

logger = logging.getLogger(__name__)

PATIENCE = Timeout(connect=3, response=10, idle=10)
"""How long a tokenizer is waited for: the estimate is at hand."""


def count_tokens(body: dict[str, Any], endpoint: Endpoint, connect: Callable[[], Link]) -> int:
    """Count the tokens of a request's prompt.

    Args:
        body: The request's JSON.
        endpoint: Where it goes.
        connect: Returns the link to the server; it remembers that there is no tokenizer.
    """
    if endpoint.tokenizer_route is None:
        return estimate_request(body)
    counted = None
    try:
        link = connect()
        if not link.has_no_tokenizer:
            counted = _asked(body, endpoint.tokenizer_route, link)
    except KimiError as error:
        logger.info("the tokenizer route did not answer (%s); estimating", type(error).__name__)
    return estimate_request(body) if counted is None else counted


def is_sendable(messages: Sequence[BaseMessage]) -> bool:
    """Whether a request says all that messages hold: it leaves out results without their calls."""
    called = {
        call["id"]
        for message in messages
        if isinstance(message, AIMessage)
        for call in (*message.tool_calls, *message.invalid_tool_calls)
    }
    answers = [message.tool_call_id for message in messages if isinstance(message, ToolMessage)]
    says = any(message.content for message in messages) or bool(called)
    return says and called.issuperset(answers)


def estimate_slice(messages: Sequence[BaseMessage], tools: Sequence[Any]) -> int:
    """Estimate the tokens of a part of a conversation, which may be one that no server takes."""
    from langchain_kimi.context import estimate_messages, estimate_tools  # noqa: PLC0415

    return estimate_messages(messages) + estimate_tools(tools)


def _asked(body: dict[str, Any], route: str, link: Link) -> int | None:
    asked: dict[str, Any] = {
        key: body[key] for key in ("model", "messages", "tools") if key in body
    }
    try:
        with link.transport.within(PATIENCE) as transport:
            if route == "tokenize":
                asked["chat_template_kwargs"] = body["chat_template_kwargs"]
                count = transport.post("/../tokenize", asked).data.get("count")
            else:
                data = transport.post("/tokenizers/estimate-token-count", asked).data.get("data")
                count = data.get("total_tokens") if isinstance(data, dict) else None
    except (KimiNotFoundError, KimiTimeoutError):
        link.has_no_tokenizer = True
        raise
    return count if isinstance(count, int) else None
