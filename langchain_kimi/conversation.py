"""What a conversation holds beyond the messages of one request."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import BaseMessage

__all__ = ["earlier_ids", "remembering"]

_earlier: ContextVar[tuple[str, ...]] = ContextVar("langchain_kimi_earlier_ids", default=())


def earlier_ids() -> tuple[str, ...]:
    """Return the ids of tool calls that must not come again; see `remembering`."""
    return _earlier.get()


@contextmanager
def remembering(messages: Sequence[BaseMessage]) -> Iterator[None]:
    """Keep the calls of a request's reply apart from those of the whole conversation.

    A request that leaves messages out counts its calls from the first that is left, and the server
    goes on counting from there: ids that are long used would come again.
    """
    ids = [
        call["id"] or ""
        for message in messages
        if isinstance(message, AIMessage)
        for call in (*message.tool_calls, *message.invalid_tool_calls)
    ]
    token = _earlier.set(tuple(ids))
    try:
        yield
    finally:
        _earlier.reset(token)
