"""Keep a sub-agent's conversation within its model's context, and say what was hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

_HIDDEN = "[hidden to save room: a tool result of {size} characters; call the tool again if needed]"
_DROPPED = (
    "[{count} earlier steps of yours were dropped to save room. Your task above still holds.]"
)


_NOTE = re.compile(re.escape(_DROPPED).replace(r"\{count\}", r"(\d+)"))


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """When and how a conversation is shortened.

    "hide_tool_results" keeps all replies with their reasoning, and the latest tool results; it
    drops the oldest steps only when that is not enough. "discard_all" begins again from the
    task. "none" leaves everything.
    """

    strategy: Literal["hide_tool_results", "discard_all", "none"] = "hide_tool_results"
    tokens: int = 160_000
    """Shorten when the context grows past this."""
    share: float = 0.5
    """Shorten to this share, so that it is done seldom and the server's cache stays useful."""
    keep_steps: int = 4
    """The latest steps, which stay as they are."""


def compact(
    messages: Sequence[AnyMessage], tokens: int, policy: Compaction
) -> tuple[list[AnyMessage], int]:
    """Return a shorter conversation and an estimate of its tokens.

    Args:
        messages: The conversation: what comes before the first reply is the task, and stays.
        tokens: What the conversation takes now.
        policy: How to shorten.
    """
    head, steps, gone = _split(messages)
    if policy.strategy == "discard_all":
        return [*head, HumanMessage(_DROPPED.format(count=gone + len(steps)))], _size(head) // 4
    goal = int(policy.tokens * policy.share)
    size = _size(messages)
    factor = tokens / max(1, size)
    old, latest = steps[: -policy.keep_steps], steps[-policy.keep_steps :]
    hidden = [[_hide(message) for message in step] for step in old]
    total = _size(head) + sum(map(_size, hidden)) + sum(map(_size, latest))
    dropped = 0
    while hidden and total * factor > goal:
        total -= _size(hidden.pop(0))
        dropped += 1
    if gone + dropped:
        head = [*head, HumanMessage(_DROPPED.format(count=gone + dropped))]
    kept = [*head, *(m for step in hidden for m in step), *(m for step in latest for m in step)]
    return kept, int(total * factor)


def _split(
    messages: Sequence[AnyMessage],
) -> tuple[list[AnyMessage], list[list[AnyMessage]], int]:
    """Part a conversation into the task, the steps, and how many were dropped before."""
    head: list[AnyMessage] = []
    steps: list[list[AnyMessage]] = []
    gone = 0
    for message in messages:
        if isinstance(message, AIMessage):
            steps.append([message])
        elif steps:
            steps[-1].append(message)
        elif found := _NOTE.fullmatch(str(message.content)):
            gone += int(found[1])
        else:
            head.append(message)
    return head, steps, gone


def _hide(message: AnyMessage) -> AnyMessage:
    size = _size([message])
    if not isinstance(message, ToolMessage) or size < 2 * len(_HIDDEN):
        return message
    return ToolMessage(
        _HIDDEN.format(size=size),
        tool_call_id=message.tool_call_id,
        name=message.name,
        status=message.status,
    )


def _size(messages: Sequence[AnyMessage]) -> int:
    return sum(
        len(m.content) if isinstance(m.content, str) else len(str(m.content)) for m in messages
    ) + 32 * len(messages)
