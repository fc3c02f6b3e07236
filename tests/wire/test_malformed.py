"""Replies that no server means to send: a message or a typed error, never a foreign exception."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiError, KimiServerError
from langchain_kimi.wire.reply import carries_output, read_reply

from .replies import USAGE, WireCall, WireReply, event, fragment, read, read_stream, request

WHOLE: dict[str, Any] = WireReply(
    reasoning="Hm.", content="Hi.", calls=(WireCall(name="f", id="c", arguments='{"x": 1}'),)
).body()

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> list[Path]:
    """List the paths of all values inside a reply."""
    items: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    below = [place for key, item in items for place in places(item, (*path, key))]
    return [path, *below] if path else below


def with_value(reply: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(reply)
    holder: Any = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


def _read_either(reply: dict[str, Any], *, streamed: bool) -> AIMessage:
    if streamed:
        return read_stream(as_events(reply), request())
    return read_reply(reply, request(), ENDPOINTS["vllm"], may_be_empty=False)[0]


def as_events(whole: dict[str, Any]) -> list[dict[str, Any]]:
    return [event({"content": "Begun."}), whole]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(place=st.sampled_from(places(WHOLE)), value=json_values)
def test_any_value_in_any_place_is_read_or_refused(place: Path, value: Any) -> None:
    reply = with_value(WHOLE, place, value)

    try:
        message, _ = read_reply(reply, request(), ENDPOINTS["vllm"], may_be_empty=False)
    except KimiError:
        return
    assert isinstance(message, AIMessage)
    message.model_dump_json()


@given(place=st.sampled_from(places(WHOLE)), value=json_values)
def test_any_value_in_any_place_of_a_stream_is_read_or_refused(place: Path, value: Any) -> None:
    events = as_events(with_value(WHOLE, place, value))

    assert all(isinstance(carries_output(one), bool) for one in events)
    try:
        message = read_stream(events, request())
    except KimiError:
        return
    message.model_dump_json()


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("choices",), {}, "choices is a JSON object; an array is needed"),
        (("choices", 0), None, "choices[0] is a JSON null; an object is needed"),
        (("choices", 0, "message"), "hi", "choices[0].message is a JSON string"),
        (("choices", 0, "message", "content"), 5, "content is a JSON number"),
        (("choices", 0, "message", "tool_calls"), {}, "tool_calls is a JSON object"),
        (("choices", 0, "message", "tool_calls", 0), None, "tool_calls[0] is a JSON null"),
        (("choices", 0, "message", "tool_calls", 0, "function"), "f", "function is a JSON string"),
        (
            ("choices", 0, "message", "tool_calls", 0, "function", "name"),
            3,
            "name is a JSON number",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_malformed_reply_says_where(
    place: Path, value: Any, said: str, *, streamed: bool
) -> None:
    reply = with_value(WHOLE, place, value)

    with pytest.raises(KimiServerError) as caught:
        _read_either(reply, streamed=streamed)

    assert said in str(caught.value)
    assert caught.value.endpoint in {"vllm", "nvidia"}
    assert caught.value.partial is not None
    if streamed:
        assert caught.value.partial.text.startswith("Begun.")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("usage",), "x"),
        (("usage", "prompt_tokens"), "7"),
        (("usage", "completion_tokens"), -1),
        (("id",), 5),
        (("model",), []),
        (("choices", 0, "finish_reason"), 3),
        (("choices", 0, "message", "tool_calls", 0, "id"), {}),
    ],
)
def test_what_an_answer_can_do_without_does_not_cost_it(place: Path, value: Any) -> None:
    reply = with_value(WHOLE, place, value)

    message, _ = read_reply(reply, request(), ENDPOINTS["vllm"], may_be_empty=False)

    assert message.content == "Hi."
    assert message.tool_calls[0]["args"] == {"x": 1}
    assert message.tool_calls[0]["id"]


HALF = "\ud83d"
OTHER = "\ude00"


def test_half_characters_are_replaced_wherever_they_stand() -> None:
    reply = WireReply(
        reasoning=f"a{HALF}",
        content=f"b{OTHER}c",
        calls=(WireCall(name="g", id=f"i{HALF}", arguments='{"s": "d\\ud83d"}'),),
    )

    message = read(reply, request())

    assert message.content == "b\ufffdc"
    assert message.additional_kwargs["reasoning_content"] == "a\ufffd"
    assert message.tool_calls[0]["args"] == {"s": "d\ufffd"}
    message.model_dump_json()
    json.dumps(message.tool_calls, ensure_ascii=False).encode()


def test_halves_in_two_events_become_one_character() -> None:
    arguments = ['{"s": "\\ud8', "3d", '\\ude00 \\ud83d"}']
    events = [
        event({"reasoning_content": f"a{HALF}"}),
        event({"reasoning_content": f"{OTHER}b"}),
        event({"content": HALF}),
        event({"content": f"{OTHER}{HALF}"}),
        event({"content": "!"}),
        event({"tool_calls": [fragment(0, id="c", name="g", arguments=arguments[0])]}),
        *(event({"tool_calls": [fragment(0, arguments=piece)]}) for piece in arguments[1:]),
        event(finish="tool_calls"),
        {"choices": [], "usage": USAGE},
    ]

    message = read_stream(events, request())

    assert message.additional_kwargs["reasoning_content"] == "a\U0001f600b"
    assert message.content == "\U0001f600\ufffd!"
    assert message.tool_calls[0]["args"] == {"s": "\U0001f600 \ufffd"}


def test_half_characters_of_others_do_not_reach_the_request() -> None:
    call = {"name": "g", "args": {"s": HALF}, "id": f"x{HALF}"}
    asked = request(
        HumanMessage(f"Go{HALF}"),
        AIMessage(f"Well{OTHER}", tool_calls=[call]),
        ToolMessage(f"done {HALF}", tool_call_id=f"x{HALF}"),
        HumanMessage([{"type": "text", "text": OTHER}]),
    )

    body = json.dumps(asked.body, ensure_ascii=False)

    assert body.encode().count("\ufffd".encode()) == 5
    assert [message["role"] for message in asked.body["messages"]] == [
        "user",
        "assistant",
        "tool",
        "user",
    ]
