"""What all dialects have in common: the OpenAI shapes, and the order of a stream."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar

from langchain_kimi.testing.callfaults import Delta
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply, Step, Text, Usage, WireCall
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Part
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.tokens import text_tokens

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One event of a stream, and how many tokens of text it carries."""

    data: Json
    tokens: int = 0


@dataclass(frozen=True)
class ErrorBody:
    """The body and headers of an HTTP error."""

    text: str
    headers: Mapping[str, str]


def dumps(value: Any) -> str:
    """Write JSON as the servers do: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def pieces(text: str, size: int | None) -> Iterator[str]:
    """Cut a text into pieces of at most size characters; an empty text is one piece."""
    if not text or size is None:
        yield text
        return
    for start in range(0, len(text), size):
        yield text[start : start + size]


class Dialect(ABC):
    """How one kind of server speaks: shapes of replies and errors, checks of requests."""

    name: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    owner: ClassVar[str]
    reasoning_field: ClassVar[str] = "reasoning_content"
    reports_cache: ClassVar[bool] = False

    @abstractmethod
    def check(self, request: ChatRequest, settings: Settings, uploads: Container[str]) -> None:
        """Raise `Refusal` for a request that the real server refuses."""

    @abstractmethod
    def error_body(self, refusal: Refusal) -> ErrorBody:
        """Write an error in this dialect's shape."""

    @abstractmethod
    def usage(self, usage: Usage) -> Json:
        """Write token counts."""

    def error_event(self, message: str) -> str:
        """Write the data of an error event in a stream."""
        return self.error_body(Refusal(500, message)).text

    def thinks(self, request: ChatRequest) -> bool:
        """Tell whether the model reasons, by this dialect's own switch."""
        return request.template_switches.get("thinking") is not False

    def adapted(self, steps: Sequence[Step], _request: ChatRequest) -> list[Step]:
        """Change the steps of a reply as this server's parsers would."""
        return list(steps)

    def finish_reason(self, reason: str, _request: ChatRequest) -> str:
        """Report why a reply ended."""
        return reason

    def takes_parallel_calls(self, request: ChatRequest, _settings: Settings) -> bool:
        """Tell whether the model may make several calls in one turn."""
        return request.body.get("parallel_tool_calls") is not False

    def response_headers(self, _request_id: str) -> dict[str, str]:
        """Give the headers of a successful reply."""
        return {}

    def message(self, reply: Reply) -> Json:
        """Write the assistant message of an unstreamed reply."""
        message: Json = {"role": "assistant", "content": reply.text("content")}
        reasoning = reply.text("reasoning")
        if reasoning is not None:
            message[self.reasoning_field] = reasoning
        if reply.calls:
            message["tool_calls"] = self._whole_calls(reply)
        return message

    def head(self, reply: Reply, kind: str) -> Json:
        """Write what a reply and each chunk of it begin with."""
        return {
            "id": reply.id,
            "object": kind,
            "created": reply.created,
            "model": reply.model,
        }

    def completion(self, reply: Reply) -> Json:
        """Write the body of an unstreamed reply."""
        return {
            **self.head(reply, "chat.completion"),
            "choices": [
                {
                    "index": 0,
                    "message": self.message(reply),
                    "finish_reason": reply.finish_reason,
                }
            ],
            "usage": self.usage(reply.usage),
            "system_fingerprint": reply.fingerprint,
        }

    def events(
        self, reply: Reply, request: ChatRequest, size: int | None
    ) -> Iterator[Event | Part]:
        """Write a reply as the events of a stream, with the faults at their places."""
        yield Event(self.chunk(reply, [self.choice(self.opening_delta())]))
        for is_call, steps in groupby(reply.steps, key=lambda step: isinstance(step, WireCall)):
            if is_call:
                yield from self._call_events(
                    reply, (s for s in steps if isinstance(s, WireCall)), size
                )
                continue
            for step in steps:
                if isinstance(step, Text):
                    for piece in pieces(step.text, size):
                        delta = self.text_delta(step.kind, piece)
                        yield Event(self.chunk(reply, [self.choice(delta)]), text_tokens(piece))
                elif isinstance(step, Part):
                    yield step
        if reply.finish_reason is not None:
            yield Event(self.last_chunk(reply))
        if request.include_usage:
            yield Event(self.usage_chunk(reply))

    def chunk(self, reply: Reply, choices: list[Json]) -> Json:
        """Write one chunk."""
        return {
            **self.head(reply, "chat.completion.chunk"),
            "choices": choices,
            "system_fingerprint": reply.fingerprint,
        }

    def choice(self, delta: Json, finish_reason: str | None = None) -> Json:
        """Write the choice of a chunk."""
        return {"index": 0, "delta": delta, "finish_reason": finish_reason}

    def opening_delta(self) -> Json:
        """Write the delta of the first chunk."""
        return {"role": "assistant", "content": ""}

    def text_delta(self, kind: str, piece: str) -> Json:
        """Write a delta of reasoning or content."""
        return {self.reasoning_field if kind == "reasoning" else "content": piece}

    def call_delta(self, delta: Json) -> Json:
        """Write a delta with a piece of a tool call."""
        return {"tool_calls": [delta]}

    def last_chunk(self, reply: Reply) -> Json:
        """Write the chunk that carries the finish_reason."""
        return self.chunk(reply, [self.choice({}, reply.finish_reason)])

    def usage_chunk(self, reply: Reply) -> Json:
        """Write the chunk that ``stream_options.include_usage`` asks for."""
        return {**self.chunk(reply, []), "usage": self.usage(reply.usage)}

    def whole_call(self, call: WireCall) -> Json:
        """Write a tool call of an unstreamed message."""
        return {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }

    def call_deltas(self, call: WireCall, size: int | None) -> Iterator[Json]:
        """Write the deltas of a tool call: the first with id and name, then arguments."""
        first, *rest = pieces(call.arguments, size)
        yield {**self.whole_call(call), "index": call.index} | {
            "function": {"name": call.name, "arguments": first}
        }
        for piece in rest:
            yield {"index": call.index, "function": {"arguments": piece}}

    def model_list(self, settings: Settings, created: int) -> Json:
        """Write the body of ``GET /v1/models``: retired models are still listed."""
        names = dict.fromkeys((*settings.models, *settings.retired_models))
        return {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": created, "owned_by": self.owner}
                for name in names
            ],
        }

    def _whole_calls(self, reply: Reply) -> list[Json]:
        deltas = [(call.index, self.whole_call(call)) for call in reply.calls]
        return [fields for _, fields in _reshaped(deltas, reply)]

    def _call_events(
        self, reply: Reply, calls: Iterable[WireCall], size: int | None
    ) -> Iterator[Event]:
        deltas = [(call.index, delta) for call in calls for delta in self.call_deltas(call, size)]
        for _, fields in _reshaped(deltas, reply):
            arguments = fields["function"].get("arguments")
            tokens = text_tokens(arguments) if isinstance(arguments, str) else 0
            yield Event(self.chunk(reply, [self.choice(self.call_delta(fields))]), tokens)


def _reshaped(deltas: list[Delta], reply: Reply) -> list[Delta]:
    for change in reply.reshapes:
        deltas = change(deltas)
    return deltas
