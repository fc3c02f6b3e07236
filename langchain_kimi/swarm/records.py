"""The lines of the journal: what is written down about a run, and how it becomes bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer


class Kind(IntEnum):
    """What one record tells. The numbers are on disk: never reuse one."""

    TASK = 1
    """A person gave a task: counters of the budget begin anew."""
    ORCHESTRATOR = 2
    """The orchestrator's reply to one state of its conversation."""
    SPAWN = 3
    """A sub-agent was given its work."""
    REPLY = 4
    """A model's reply to a sub-agent."""
    TOOLS = 5
    """The results of a reply's tool calls: the step is finished."""
    DECISION = 6
    """A person's answer to a request for approval."""
    END = 7
    """A sub-agent came to its end."""
    NOTE = 8
    """A person told the orchestrator something while it was at work."""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal.

    Attributes:
        kind: What the line tells.
        agent: The sub-agent that it is about, "" for the run itself.
        body: Plain data and LangChain messages.
    """

    kind: Kind
    agent: str
    body: dict[str, Any]


_SERDE = JsonPlusSerializer()


def encode(record: Record) -> bytes:
    """Return the bytes of a record's body, in LangGraph's own serialisation."""
    try:
        return _SERDE.dumps_typed(record.body)[1]
    except (TypeError, ValueError):
        return _SERDE.dumps_typed(storable(record.body))[1]


def storable(value: Any) -> Any:
    """Return a value that can be written down, whatever a model or a tool has put into it.

    Integers over 64 bits become text, as do objects that cannot be serialised; halves of
    surrogate pairs become question marks.
    """
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    if isinstance(value, dict):
        return {storable(key): storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [storable(one) for one in value]
    if isinstance(value, BaseMessage):
        return value.model_copy(update={name: storable(one) for name, one in value})
    try:
        _SERDE.dumps_typed(value)
    except (TypeError, ValueError):
        return storable(repr(value))
    return value


def decode(kind: int, agent: str, body: bytes) -> Record:
    """Rebuild a record from what `encode` gave."""
    return Record(Kind(kind), agent, _SERDE.loads_typed(("msgpack", body)))
