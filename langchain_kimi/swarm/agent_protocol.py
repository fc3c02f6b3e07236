"""What a server of the Agent Protocol answers, read with care: it may be a proxy, or hostile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from langchain_core.messages import AnyMessage, BaseMessage, convert_to_messages
from langgraph_sdk.client import LangGraphClient
from pydantic import BaseModel, TypeAdapter, ValidationError

BUSY = ("pending", "running")
MALFORMED = (ValidationError, JSONDecodeError)
"""What reading an answer raises when it is none of the protocol."""

_MESSAGE: TypeAdapter[AnyMessage] = TypeAdapter(AnyMessage)


class Run(BaseModel):
    """A run, as it is listed."""

    run_id: str
    status: str


class Interrupt(BaseModel):
    """What a thread asks a person."""

    id: str
    value: Any = None


class _Task(BaseModel):
    interrupts: list[Interrupt] | None = None


class _Values(BaseModel):
    messages: list[dict[str, Any]] | None = None
    structured_response: Any = None


class ThreadState(BaseModel):
    """Where a thread stands."""

    values: _Values | None = None
    next: list[str] | None = None
    tasks: list[_Task] | None = None


_RUNS = TypeAdapter(list[Run])


@dataclass(frozen=True, kw_only=True)
class Rest:
    """How a thread came to rest: with an answer, or with a question."""

    messages: list[BaseMessage]
    structured_response: Any = None
    asked: Interrupt | None = None


async def busy_runs(client: LangGraphClient, thread: str) -> list[str]:
    """Return the runs of a thread that have not ended."""
    runs = _RUNS.validate_python(await client.runs.list(thread))
    return [run.run_id for run in runs if run.status in BUSY]


async def status_of(client: LangGraphClient, thread: str, run: str) -> str:
    """Return a run's status."""
    return Run.model_validate(await client.runs.get(thread, run)).status


async def state_of(client: LangGraphClient, thread: str) -> ThreadState:
    """Return where a thread stands."""
    return ThreadState.model_validate(await client.threads.get_state(thread))


def messages_of(state: ThreadState) -> list[BaseMessage]:
    """Return the messages of a thread."""
    return [_message(one) for one in (state.values and state.values.messages) or ()]


def at_rest(state: ThreadState) -> Rest | None:
    """Return what a thread came to; None when nothing was done in it, or it was cut off."""
    messages = messages_of(state)
    asked = [one for task in state.tasks or () for one in task.interrupts or ()]
    if asked:
        return Rest(messages=messages, asked=asked[0])
    if not messages or state.next:
        return None
    structured = state.values.structured_response if state.values else None
    return Rest(messages=messages, structured_response=structured)


def has_asked(there: Sequence[BaseMessage], here: Sequence[BaseMessage]) -> bool:
    """Whether a thread has been asked the last question as often as it was put here."""
    text = last_question(here).text
    return _count(there, text) >= _count(here, text)


def last_question(messages: Sequence[BaseMessage]) -> BaseMessage:
    """Return what a person, or the orchestrator, said last."""
    return next(one for one in reversed(messages) if one.type == "human")


def _count(messages: Sequence[BaseMessage], text: str) -> int:
    return sum(one.type == "human" and one.text == text for one in messages)


def _message(data: Mapping[str, Any]) -> BaseMessage:
    """Read a message of a server, as LangGraph writes it (with its usage) or as OpenAI does."""
    if "type" not in data and isinstance(data.get("role"), str):
        with suppress(ValueError, NotImplementedError):  # said better by what follows
            return convert_to_messages([dict(data)])[0]
    return _MESSAGE.validate_python({"type": "", **data})
