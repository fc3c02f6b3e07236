"""History as the templates and the servers want it: every call followed by its one result.

The steps work on `Turn`s, a small private form between LangChain messages and request JSON.
What is repaired is repaired in the request only, and said at debug level. Halves of characters,
which tools and other providers let into messages, are replaced as no request can carry them.
"""

from __future__ import annotations

import json
import logging
import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.media import spoken
from langchain_kimi.wire.reasoning import reasoning_of
from langchain_kimi.wire.text import clean, clean_value
from langchain_kimi.wire.tool_ids import canonical_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_kimi.wire.tool_ids import ToolNames

__all__ = ["Call", "Turn", "number_calls", "pair_results", "read_turns"]

logger = logging.getLogger(__name__)

_ROLES = {"user", "assistant", "system", "tool", "developer"}

MISSING_RESULT = "[There is no result: the call was interrupted before it returned.]"
"""What stands in for a result that history does not hold."""


@dataclass(kw_only=True, slots=True)
class Call:
    """A tool call in history."""

    id: str | None
    name: str
    arguments: str
    """A JSON object, as text."""


@dataclass(kw_only=True, slots=True)
class Turn:
    """One message on its way to the request."""

    index: int
    """Position in the caller's list, for error messages; -1 for what was put in."""
    role: str
    content: str | list[Any]
    name: str | None = None
    reasoning: str | None = None
    calls: tuple[Call, ...] = field(default=())
    tool_call_id: str | None = None

    @property
    def is_vacuous(self) -> bool:
        """Whether an assistant turn says nothing: servers refuse it."""
        return self.role == "assistant" and not self.calls and not str(self.content).strip()


def read_turns(messages: Sequence[BaseMessage]) -> list[Turn]:
    """Read LangChain messages, whatever made them.

    Raises:
        KimiInvalidInputError: A message of a kind that no chat API knows, or one that is no JSON.
    """
    turns = []
    for index, message in enumerate(messages):
        try:
            turns.append(_read(index, message))
        except KimiInvalidInputError:
            raise
        except (TypeError, ValueError, RecursionError) as error:
            msg = f"messages[{index}] holds what cannot be written as JSON: {error}"
            raise KimiInvalidInputError(msg) from error
    return turns


def _read(index: int, message: BaseMessage) -> Turn:
    # `name` would replace the role in Kimi's template, so only an explicit one is sent
    name = clean_value(message.additional_kwargs.get("name"))
    content = clean_value(message.content)
    if isinstance(message, AIMessage):
        reasoning = reasoning_of(message)
        return Turn(
            index=index,
            role="assistant",
            content=spoken(content, where=f"messages[{index}]"),
            name=name,
            reasoning=None if reasoning is None else clean(reasoning),
            calls=tuple(_calls(message)),
        )
    if isinstance(message, ToolMessage):
        return Turn(
            index=index,
            role="tool",
            content=content,
            tool_call_id=clean(message.tool_call_id),
        )
    if isinstance(message, HumanMessage):
        role = "user"
    elif isinstance(message, SystemMessage):
        role = "system"
    elif isinstance(message, ChatMessage) and message.role in _ROLES - {"tool"}:
        role = message.role
    else:
        kind = getattr(message, "role", None) or type(message).__name__
        msg = (
            f"messages[{index}] is a {type(message).__name__} ({kind!r}); use HumanMessage, "
            "AIMessage, SystemMessage or ToolMessage"
        )
        raise KimiInvalidInputError(msg)
    return Turn(index=index, role=role, content=content, name=name)


def _calls(message: AIMessage) -> Iterator[Call]:
    for call in message.tool_calls:
        yield Call(
            id=clean_value(call.get("id")), name=clean(call["name"]), arguments=_json(call["args"])
        )
    for broken in message.invalid_tool_calls:
        # arguments must be an object on the wire; the model sees what it wrote inside one
        yield Call(
            id=clean_value(broken.get("id")),
            name=clean(broken.get("name") or "unknown"),
            arguments=_json({"invalid_json": broken.get("args") or ""}),
        )


def _json(value: Any) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, default=str)
    return clean(text)


def _finite(value: Any) -> Any:
    """Write numbers that JSON does not have (NaN, infinity) as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def pair_results(turns: Sequence[Turn]) -> list[Turn]:
    """Put every result right behind its call.

    Results that stand elsewhere are moved, missing ones are stood in for, and what answers no
    call, or a call that has its answer, is left out; so are assistant turns that say nothing.
    A result belongs to the last call before it with its id that has none yet.
    """
    results = _results_by_call(turns)
    paired: list[Turn] = []
    for position, turn in enumerate(turns):
        if turn.role == "tool":
            continue
        if turn.is_vacuous:
            logger.debug("messages[%d]: left out an assistant message that is empty", turn.index)
            continue
        paired.append(turn)
        for number, call in enumerate(turn.calls):
            result = results.get((position, number))
            if result is None:
                logger.debug("messages[%d]: no result for call %s", turn.index, call.id)
                result = Turn(
                    index=-1, role="tool", content=MISSING_RESULT, tool_call_id=call.id or ""
                )
            paired.append(result)
    return paired


def _results_by_call(turns: Sequence[Turn]) -> dict[tuple[int, int], Turn]:
    """Map calls, by the position of their turn and their number in it, to their results."""
    waiting: dict[str, deque[deque[tuple[int, int]]]] = {}  # by id; those of one turn together
    results: dict[tuple[int, int], Turn] = {}
    early: list[Turn] = []
    for position, turn in enumerate(turns):
        for number, call in enumerate(turn.calls):
            same_id = waiting.setdefault(call.id or "", deque())
            if not same_id or same_id[-1][0][0] != position:
                same_id.append(deque())
            same_id[-1].append((position, number))
        if turn.role != "tool":
            continue
        same_id = waiting.get(turn.tool_call_id or "", deque())
        if same_id:
            results[_take(same_id, -1)] = turn
        else:
            early.append(turn)
    for turn in early:  # a result before its call: moved behind it
        same_id = waiting.get(turn.tool_call_id or "", deque())
        if same_id:
            results[_take(same_id, 0)] = turn
        else:
            logger.debug(
                "messages[%d]: left out a result that answers no open call (%s)",
                turn.index,
                turn.tool_call_id,
            )
    return results


def _take(same_id: deque[deque[tuple[int, int]]], turn: int) -> tuple[int, int]:
    """Take the first open call of the last turn (-1) or of the first (0) that has one."""
    call = same_id[turn].popleft()
    if not same_id[turn]:
        del same_id[turn]
    return call


def number_calls(turns: Sequence[Turn], names: ToolNames) -> list[Turn]:
    """Give calls and their results canonical ids, counted over the conversation.

    Expects paired turns: the results of a turn follow it in the order of its calls.
    """
    numbered: list[Turn] = []
    pending: deque[str] = deque()
    count = 0
    for turn in turns:
        if turn.role == "tool":
            numbered.append(replace(turn, tool_call_id=pending.popleft()))
            continue
        calls = []
        for call in turn.calls:
            alias = names.alias(call.name)
            calls.append(replace(call, id=canonical_id(alias, count), name=alias))
            pending.append(canonical_id(alias, count))
            count += 1
        numbered.append(replace(turn, calls=tuple(calls)) if calls else turn)
    return numbered
