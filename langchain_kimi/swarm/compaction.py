"""Keep a sub-agent's conversation within its model's context, and say what was hidden."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from langchain_kimi.content.stubs import is_pinned_message
from langchain_kimi.context import estimate_messages

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
    task. "none" leaves everything. Pinned messages and media stay, with their step.
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
        pinned = [step for step in steps if _is_pinned(step)]
        head.append(HumanMessage(_DROPPED.format(count=gone + len(steps) - len(pinned))))
        kept = [*head, *(m for step in pinned for m in step)]
        return kept, estimate_messages(kept)
    goal = int(policy.tokens * policy.share)
    factor = tokens / max(1, sum(map(estimate_messages, (head, *steps))))
    old, latest = steps[: -policy.keep_steps], steps[-policy.keep_steps :]
    hidden = [[_hide(message) for message in step] for step in old]
    total = sum(map(estimate_messages, (head, *hidden, *latest)))
    remaining = []
    for step in hidden:
        if total * factor > goal and not _is_pinned(step):
            total -= estimate_messages(step)
        else:
            remaining.append(step)
    dropped = len(hidden) - len(remaining)
    if gone + dropped:
        head = [*head, HumanMessage(_DROPPED.format(count=gone + dropped))]
    kept = [*head, *(m for step in [*remaining, *latest] for m in step)]
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
    if not isinstance(message, ToolMessage) or is_pinned_message(message):
        return message
    size = len(message.text)
    if isinstance(message.content, str) and size < 2 * len(_HIDDEN):
        return message
    return ToolMessage(
        _HIDDEN.format(size=size),
        tool_call_id=message.tool_call_id,
        name=message.name,
        status=message.status,
    )


def _is_pinned(step: list[AnyMessage]) -> bool:
    return any(map(is_pinned_message, step))
