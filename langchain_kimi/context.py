"""What a conversation costs against the model's window, and how to make it fit.

The figures are estimates that need no network: text by counting pieces (median error about 2 %),
pictures by MoonViT's arithmetic (exact for a picture that is in the message), the marks of the chat
template by count. Where the server counts exactly, ask the model:
`llm.get_num_tokens_from_messages(messages)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_kimi.content.counting import (
    loop_start,
    message_parts,
    request_tokens,
    tools_tokens,
)
from langchain_kimi.content.stubs import is_pinned_message, stub_media
from langchain_kimi.content.tokens import estimate_tokens
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.models import facts_of
from langchain_kimi.wire.tool_schemas import to_kimi_tool

__all__ = [
    "ContextCost",
    "context_cost",
    "estimate_messages",
    "estimate_request",
    "estimate_tokens",
    "estimate_tools",
    "stub_media",
    "trim",
]


@dataclass(frozen=True, kw_only=True)
class ContextCost:
    """What a conversation costs, in tokens."""

    text: int = 0
    media: int = 0
    reasoning: int = 0
    """Of the running tool loop, or of every turn where the model preserves its thinking."""
    tool_calls: int = 0
    tools: int = 0
    """Their declarations."""
    marks: int = 0
    """What the chat template puts around the messages."""
    window: int
    """Tokens of prompt and reply together."""

    @property
    def total(self) -> int:
        """The prompt."""
        return self.text + self.media + self.reasoning + self.tool_calls + self.tools + self.marks

    @property
    def left(self) -> int:
        """What the reply may take; below 0 where the prompt alone is too long."""
        return self.window - self.total


def context_cost(
    messages: Sequence[BaseMessage],
    *,
    tools: Sequence[Any] = (),
    model: str = "moonshotai/kimi-k2.6",
    preserve_thinking: bool = False,
) -> ContextCost:
    """Say what a conversation costs against the model's window.

    Args:
        messages: The conversation.
        tools: What `bind_tools` gets.
        model: Decides the window, and whether it always keeps its reasoning.
        preserve_thinking: Whether the reasoning of earlier turns is sent too.
    """
    facts = facts_of(model)
    preserves = preserve_thinking or facts.preserve_thinking == "always"
    start = 0 if preserves else loop_start(messages)
    total = dict.fromkeys(("text", "media", "reasoning", "tool_calls", "marks"), 0)
    for at, message in enumerate(messages):
        for kind, tokens in message_parts(message, with_reasoning=at >= start).items():
            total[kind] += tokens
    return ContextCost(**total, tools=estimate_tools(tools), window=facts.context_window)


def estimate_messages(messages: Sequence[BaseMessage], *, preserve_thinking: bool = False) -> int:
    """Estimate the tokens of messages.

    Args:
        messages: The conversation, or a part of it.
        preserve_thinking: Whether the reasoning of earlier turns is sent too.
    """
    return sum(_costs(messages, preserve_thinking=preserve_thinking))


def estimate_tools(tools: Sequence[Any]) -> int:
    """Estimate what declared tools cost.

    Args:
        tools: What `bind_tools` gets.
    """
    return tools_tokens([to_kimi_tool(tool) for tool in tools])


def estimate_request(body: Mapping[str, Any]) -> int:
    """Estimate the prompt tokens of a chat completion's JSON body.

    Args:
        body: With `messages`, and `tools` where there are any.
    """
    return request_tokens(body)


def trim(
    messages: Sequence[BaseMessage],
    max_tokens: int,
    *,
    tools: Sequence[Any] = (),
    preserve_thinking: bool = False,
) -> list[BaseMessage]:
    """Leave out the oldest of a conversation until it fits.

    Whole turns go first, then, within the last turn, the oldest exchanges of a call and its
    results. Always kept are system messages, pinned messages and media (`image(..., pinned=True)`,
    or `additional_kwargs={"pinned": True}`) with the question and the answer of their turn, the
    last request and the last exchange, with their reasoning. A tool call never loses its results,
    nor results their call. Where even what is kept is too long, it is returned all the same:
    `stub_media` or summarising may help.

    Args:
        messages: The conversation; left untouched.
        max_tokens: What messages and tools may cost, by estimate.
        tools: What `bind_tools` gets.
        preserve_thinking: Whether the reasoning of earlier turns is sent too.

    Raises:
        KimiInvalidInputError: `max_tokens` is not positive.
    """
    if max_tokens < 1:
        msg = f"max_tokens={max_tokens}: give the tokens that may stay, at least 1"
        raise KimiInvalidInputError(msg)
    costs = _costs(messages, preserve_thinking=preserve_thinking)
    over = sum(costs) + estimate_tools(tools) - max_tokens
    if over <= 0:
        return list(messages)
    dropped: set[int] = set()
    turns = _turns(_units(messages))
    for unit in _droppable(turns, messages):
        dropped.update(unit)
        over -= sum(costs[at] for at in unit)
        if over <= 0:
            break
    return [message for at, message in enumerate(messages) if at not in dropped]


Unit = list[int]
"""Places of messages that stay or go together."""


def _costs(messages: Sequence[BaseMessage], *, preserve_thinking: bool) -> list[int]:
    start = 0 if preserve_thinking else loop_start(messages)
    return [
        sum(message_parts(message, with_reasoning=at >= start).values())
        for at, message in enumerate(messages)
    ]


def _units(messages: Sequence[BaseMessage]) -> list[tuple[Unit, BaseMessage]]:
    """Group a call with its results; every unit comes with its first message."""
    units: list[tuple[Unit, BaseMessage]] = []
    for at, message in enumerate(messages):
        if isinstance(message, SystemMessage):
            continue
        if isinstance(message, ToolMessage) and units and _calls(units[-1][1]):
            units[-1][0].append(at)
        else:
            units.append(([at], message))
    return units


def _calls(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) and bool(message.tool_calls)


def _turns(units: list[tuple[Unit, BaseMessage]]) -> list[list[Unit]]:
    """Group the units into turns, each of which begins with the user's messages in a row."""
    turns: list[list[Unit]] = []
    before: BaseMessage | None = None
    for unit, first in units:
        begins = isinstance(first, HumanMessage) and not isinstance(before, HumanMessage)
        if not turns or begins:
            turns.append([])
        turns[-1].append(unit)
        before = first
    return turns


def _droppable(turns: list[list[Unit]], messages: Sequence[BaseMessage]) -> list[Unit]:
    """List what may go, in the order in which it goes."""
    found: list[Unit] = []
    for turn in turns[:-1]:
        pinned = [_pinned(unit, messages) for unit in turn]
        if not any(pinned):
            found.append([at for unit in turn for at in unit])
            continue
        # the answer stays too: it ends the turn's tool loop for the chat template
        kept = [*pinned[:-1], True]
        found += [
            unit
            for unit, stays in zip(turn, kept, strict=True)
            if not stays and not isinstance(messages[unit[0]], HumanMessage)
        ]
    last = turns[-1] if turns else []
    found += [
        unit
        for unit in last[:-1]
        if not isinstance(messages[unit[0]], HumanMessage) and not _pinned(unit, messages)
    ]
    return found


def _pinned(unit: Unit, messages: Sequence[BaseMessage]) -> bool:
    return any(is_pinned_message(messages[at]) for at in unit)
