"""From a turn of the script to what the server sends: texts, calls, finish, usage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from langchain_kimi.testing import faults
from langchain_kimi.testing.callfaults import Change, DroppedCalls, Reshape, Respell
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Call, Part, Say, Think
from langchain_kimi.testing.tokens import BYTES_PER_TOKEN, text_tokens

EVENTS = (
    faults.Pause,
    faults.Raw,
    faults.Malformed,
    faults.ErrorEvent,
    faults.Cut,
    faults.EndEarly,
)


@dataclass(frozen=True)
class Text:
    """A piece of reasoning or content."""

    kind: Literal["reasoning", "content"]
    text: str


@dataclass(frozen=True)
class WireCall:
    """A tool call as it goes over the wire."""

    index: int
    id: str
    name: str
    arguments: str


Step = Text | WireCall | Part


@dataclass(frozen=True)
class Usage:
    """Token counts of a reply."""

    prompt: int
    completion: int
    reasoning: int
    cached: int = 0

    @property
    def total(self) -> int:
        """Prompt and completion together."""
        return self.prompt + self.completion


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One reply, ready to be written in a dialect."""

    id: str
    created: int
    model: str
    fingerprint: str
    steps: Sequence[Step]
    finish_reason: str | None
    usage: Usage
    reshapes: Sequence[Change] = ()

    @property
    def calls(self) -> list[WireCall]:
        """The tool calls."""
        return [step for step in self.steps if isinstance(step, WireCall)]

    def text(self, kind: Literal["reasoning", "content"]) -> str | None:
        """Return all text of a kind, None when there was none at all."""
        found = [step.text for step in self.steps if isinstance(step, Text) and step.kind == kind]
        return "".join(found) if found else None


def steps_of(parts: Iterable[Part], request: ChatRequest, *, thinking: bool) -> list[Step]:
    """Turn parts into steps: number the calls, leak what is to leak, drop hidden thoughts."""
    parts = list(parts)
    steps = list(_plain_steps(parts, request.earlier_calls, thinking=thinking))
    for part in parts:
        if isinstance(part, Respell):
            steps = [_respelled(step, part) for step in steps]
        if isinstance(part, faults.Leaked):
            steps = _leak(steps, part)
        if isinstance(part, DroppedCalls):
            steps = [step for step in steps if not isinstance(step, WireCall)]
    return steps


def limited(steps: Iterable[Step], request: ChatRequest) -> tuple[list[Step], str | None]:
    """Apply the stop strings and the token budget.

    Returns:
        The steps that fit, and the finish_reason when something was cut.
    """
    kept: list[Step] = []
    left = request.max_tokens
    for step in steps:
        text, stopped = _until_stop(step, request.stop)
        if left is not None and text_tokens(text) > left:
            kept.append(_with_text(step, _head(text, left)))
            return kept, "length"
        kept.append(_with_text(step, text))
        if left is not None:
            left -= text_tokens(text)
        if stopped:
            return kept, "stop"
    return kept, None


def usage_of(steps: Iterable[Step], request: ChatRequest, cached: int = 0) -> Usage:
    """Count the tokens of a reply."""
    steps = list(steps)
    reasoning = sum(
        text_tokens(step.text)
        for step in steps
        if isinstance(step, Text) and step.kind == "reasoning"
    )
    completion = sum(text_tokens(_text_of(step)) for step in steps)
    return Usage(request.prompt_tokens, completion, reasoning, cached)


def true_finish(steps: Iterable[Step]) -> str:
    """Tell the finish_reason of a reply that was not cut."""
    return "tool_calls" if any(isinstance(step, WireCall) for step in steps) else "stop"


def reshapes_of(parts: Iterable[Part]) -> list[Change]:
    """Collect the changes to the tool-call deltas."""
    return [part.change for part in parts if isinstance(part, Reshape)]


def _plain_steps(parts: Sequence[Part], earlier: int, *, thinking: bool) -> Iterator[Step]:
    count = 0
    for part in parts:
        if isinstance(part, Think):
            if thinking:
                yield Text("reasoning", part.text)
        elif isinstance(part, Say):
            yield Text("content", part.text)
        elif isinstance(part, Call):
            id_ = part.id or f"functions.{part.name}:{earlier + count}"
            yield WireCall(count, id_, part.name, part.arguments_text)
            count += 1
        elif isinstance(part, EVENTS):
            yield part


def _respelled(step: Step, respell: Respell) -> Step:
    if not isinstance(step, WireCall):
        return step
    return WireCall(step.index, step.id, step.name, respell.change(step.arguments))


def _leak(steps: Sequence[Step], leak: faults.Leaked) -> list[Step]:
    calls = [step for step in steps if isinstance(step, WireCall)]
    if not calls:
        return list(steps)
    first = steps.index(calls[0])
    others = [step for step in steps if not isinstance(step, WireCall)]
    return [*others[:first], Text(leak.where, _markers(calls, leak)), *others[first:]]


def _markers(calls: Iterable[WireCall], leak: faults.Leaked) -> str:
    inner = "".join(
        "<|tool_call_begin|>"
        + leak.header.format(name=call.name, index=call.id.rpartition(":")[2])
        + f"<|tool_call_argument_begin|>{call.arguments}<|tool_call_end|>"
        for call in calls
    )
    if leak.section is None:
        return inner
    return f"<|{leak.section}_begin|>{inner}<|{leak.section}_end|>"


def _text_of(step: Step) -> str:
    if isinstance(step, Text):
        return step.text
    return step.arguments if isinstance(step, WireCall) else ""


def _with_text(step: Step, text: str) -> Step:
    if isinstance(step, Text):
        return Text(step.kind, text)
    if isinstance(step, WireCall):
        return WireCall(step.index, step.id, step.name, text)
    return step


def _until_stop(step: Step, stops: Sequence[str]) -> tuple[str, bool]:
    text = _text_of(step)
    if not isinstance(step, Text) or step.kind != "content":
        return text, False
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


def _head(text: str, tokens: int) -> str:
    data = text.encode("utf-8", "surrogatepass")[: tokens * BYTES_PER_TOKEN]
    return data.decode("utf-8", "ignore")
