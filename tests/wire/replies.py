"""Replies as data: whole, and as the events of any stream of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.wire.reply import read_reply
from langchain_kimi.wire.request import Request, build_request
from langchain_kimi.wire.stream import StreamReader

from .conversations import Case, tool
from .properties import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import BaseMessage

Event = dict[str, Any]
TOOLS = [tool("f", x="integer"), tool("g"), tool("db.find", q="string")]
USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


@dataclass(frozen=True, kw_only=True)
class WireCall:
    name: str | None
    id: str | None
    arguments: str | None


@dataclass(frozen=True, kw_only=True)
class WireReply:
    """What a server has to say."""

    reasoning: str | None = None
    content: str | None = None
    calls: tuple[WireCall, ...] = ()
    finish: str | None = "stop"

    def body(self) -> Event:
        message: Event = {"role": "assistant", "content": self.content}
        if self.reasoning is not None:
            message["reasoning_content"] = self.reasoning
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.calls
            ]
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return {"id": "r1", "model": "kimi", "choices": [choice], "usage": USAGE}


def request(*messages: BaseMessage, endpoint: str = "nvidia", **options: Any) -> Request:
    asked = messages or (HumanMessage("Go."),)
    case = Case(name="", messages=tuple(asked), options={"tools": TOOLS, **options})
    return build_request(asked, case.options_for(endpoint))


def event(delta: Event | None = None, finish: str | None = None) -> Event:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "r1", "model": "kimi", "choices": [choice]}


def fragment(index: int | None, **fields: Any) -> Event:
    """A piece of a tool call; `name` and `arguments` go into its function."""
    function = {key: fields.pop(key) for key in ("name", "arguments") if key in fields}
    indexed = {} if index is None else {"index": index}
    return {**indexed, **fields, "function": function}


@st.composite
def _call_fragments(draw: st.DrawFn, call: WireCall, index: int, *, indexed: bool) -> list[Event]:
    """Cut a call; its name comes first, or last where an index tells whose it is."""
    pieces: list[str | None] = [None]
    if call.arguments is not None:
        pieces = list(draw(pieces_of(st.just(call.arguments))))
    place = index if indexed else None
    fragments = [fragment(place) if p is None else fragment(place, arguments=p) for p in pieces]
    if call.id is not None:
        fragments[0]["id"] = call.id
    late = indexed and draw(st.booleans())
    if late:
        fragments.append(fragment(place))
    if call.name is not None:
        fragments[-1 if late else 0]["function"]["name"] = call.name
    return fragments


@st.composite
def streams(
    draw: st.DrawFn, replies: st.SearchStrategy[WireReply]
) -> tuple[WireReply, list[Event]]:
    """A reply, and the events of a stream that says the same."""
    reply = draw(replies)
    events = [event({"role": "assistant", "content": ""})]
    for key, text in (("reasoning_content", reply.reasoning), ("content", reply.content)):
        if text is not None:
            events += [event({key: piece}) for piece in draw(pieces_of(st.just(text)))]
    indexed = draw(st.booleans()) or any(call.name is None for call in reply.calls)
    waiting = [
        draw(_call_fragments(call, index, indexed=indexed))
        for index, call in enumerate(reply.calls)
    ]
    for number in range(len(waiting)):  # calls begin in order
        events.append(event({"tool_calls": [waiting[number].pop(0)]}))
        if not indexed:
            events += [event({"tool_calls": [piece]}) for piece in waiting[number]]
            waiting[number] = []
    while any(waiting):
        number = draw(st.sampled_from([n for n, left in enumerate(waiting) if left]))
        events.append(event({"tool_calls": [waiting[number].pop(0)]}))
    events.append(event(finish=reply.finish))
    return reply, [*events, {"choices": [], "usage": USAGE}]


def read(reply: WireReply, asked: Request, *, endpoint: str = "nvidia") -> AIMessage:
    row = ENDPOINTS[endpoint]
    return read_reply(reply.body(), asked, row, may_be_empty=False)[0]


def read_stream(
    events: Iterable[Event],
    asked: Request,
    *,
    endpoint: str = "nvidia",
    v1: bool = False,
    wait: bool = False,
    done: bool = True,
) -> AIMessageChunk:
    """Read a stream, and let core sum its chunks."""
    reader = StreamReader(asked, ENDPOINTS[endpoint], v1=v1, await_think_end=wait)
    chunks = []
    for one in events:
        delta = reader.assembler.feed(one)
        if delta:
            chunks.append(reader.chunk(delta).message)
    chunks += [chunk.message for chunk in reader.end(done=done, request_id=None)]
    first, *rest = (chunk for chunk in chunks if isinstance(chunk, AIMessageChunk))
    return first + rest if rest else first


def essence(message: AIMessage) -> dict[str, Any]:
    """What a message says, without the form that streaming gives to it."""
    return {
        "content": message.content,
        "reasoning": message.additional_kwargs.get("reasoning_content"),
        "calls": message.tool_calls,
        "invalid": [(call["id"], call["name"]) for call in message.invalid_tool_calls],
        "reasons": message.response_metadata.get("invalid_tool_call_errors"),
        "finish": message.response_metadata["finish_reason"],
        "usage": message.usage_metadata,
        "model": message.response_metadata["model_name"],
    }


def arguments_of(**values: Any) -> str:
    return json.dumps(values)
