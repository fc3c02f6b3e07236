"""Every kind of schema by every method, on every endpoint, thinking or not, streamed or not."""

from __future__ import annotations

import copy
import functools
import json
import operator
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk

from langchain_kimi import ChatKimi
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiInvalidInputError,
    KimiRateLimitError,
    KimiStructuredOutputError,
    KimiTruncatedOutputError,
)
from langchain_kimi.structured_output import read_schema
from langchain_kimi.testing import (
    KimiServer,
    call,
    end_early,
    finish,
    rate_limited,
    say,
    think,
    turn,
    unauthorized,
)

from .kinds import KINDS, PARIS, PLAIN, Place, Trip

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINTS = ["nvidia", "vllm", "sglang", "moonshot"]
SECRET = "nvapi-very-secret"
METHODS = ["json_schema", "function_calling", "json_mode"]


@pytest.fixture(scope="module", params=ENDPOINTS)
def each(request: pytest.FixtureRequest) -> Iterator[KimiServer]:
    with KimiServer(dialect=request.param) as server:
        yield server


@pytest.fixture
def server() -> Iterator[KimiServer]:
    with KimiServer(dialect="vllm") as server:
        yield server


def model(server: KimiServer, **fields: Any) -> ChatKimi:
    return ChatKimi(base_url=server.base_url, api_key=SECRET, endpoint=server.dialect, **fields)


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_back_its_type(
    each: KimiServer, kind: str, method: str, thinking: bool
) -> None:
    schema, answer, wanted = KINDS[kind]
    each.clear()
    name = read_schema(schema).name
    reply = call(name, **answer) if method == "function_calling" else say(json.dumps(answer))
    thoughts = think("I fill it in.") if thinking and method != "function_calling" else None
    script = turn(thoughts, reply) if thoughts else reply
    before = len(each.requests)
    structured = model(each, thinking=thinking).with_structured_output(schema, method=method)
    for ask in (structured.invoke, lambda given: list(structured.stream(given))[-1]):
        each.script(script)
        got = ask("Go.")
        assert got == wanted
        assert type(got) is type(wanted)
    assert len(each.requests) == before + 2, "one request each"


@pytest.mark.parametrize("method", METHODS)
async def test_async(each: KimiServer, method: str) -> None:
    each.clear()
    reply = call("Place", **PARIS) if method == "function_calling" else say(json.dumps(PARIS))
    structured = model(each).with_structured_output(Place, method=method)
    each.script(turn(reply), turn(reply))
    assert await structured.ainvoke("Go.") == Place(**PARIS)
    assert [piece async for piece in structured.astream("Go.")][-1] == Place(**PARIS)


def test_the_endpoint_decides_how_the_schema_goes(each: KimiServer) -> None:
    each.clear()
    each.script(say(json.dumps(PARIS)))
    model(each).with_structured_output(Place).invoke("Go.")
    body = each.requests[-1]
    told = "JSON schema" in str(body["messages"][0]["content"])
    assert ("response_format" in body) == (each.dialect != "nvidia")
    assert told == (each.dialect != "moonshot")


def test_a_forced_tool_is_called_without_thinking(each: KimiServer) -> None:
    each.clear()
    each.script(call("Place", **PARIS))
    model(each).with_structured_output(Place, method="function_calling").invoke("Go.")
    body = each.requests[-1]
    assert body["tool_choice"]["function"]["name"] == "Place"
    switch = body.get("thinking") or body["chat_template_kwargs"]["thinking"]
    assert switch in ({"type": "disabled"}, False)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "Paris", "people": 2100000}\n```',
        'Here it is: {"name": "Paris", "people": 2100000} — enjoy!',
        'I think it is Paris.</think>{"name": "Paris", "people": 2100000}',
        '{"name": "Paris", "people": 2100000,}',
        "{'name': 'Paris', 'people': 2100000}",
        '{"name": "Paris", "people": 2100000',
    ],
)
@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_damaged_replies_are_read(server: KimiServer, text: str, how: str) -> None:
    server.script(turn(think("Hm."), say(text)))
    structured = model(server).with_structured_output(Place, repair=False)
    got = structured.invoke("Go.") if how == "invoke" else list(structured.stream("Go."))[-1]
    assert got == Place(**PARIS)


@pytest.mark.parametrize("schema", [Place, PLAIN])
def test_a_cut_answer_is_an_error_with_what_had_arrived(server: KimiServer, schema: Any) -> None:
    server.script(turn(say('{"name": "Paris", "people": 21'), finish("length")))
    with pytest.raises(KimiTruncatedOutputError, match="token budget") as raised:
        model(server).with_structured_output(schema).invoke("Go.")
    assert raised.value.partial is not None
    assert raised.value.partial.text.startswith('{"name": "Paris"')
    assert len(server.requests) == 1, "asking again would be cut again"


def test_a_broken_off_stream_is_an_error(server: KimiServer) -> None:
    server.script(turn(say('{"name": "Paris", "people": 2100000}'), end_early()))
    with pytest.raises(Exception, match=r"cut|ended"):
        list(model(server, max_retries=0).with_structured_output(Place).stream("Go."))


@pytest.mark.parametrize("schema", [Place, PLAIN])
def test_one_repair_shows_the_reply_and_the_reason(server: KimiServer, schema: Any) -> None:
    server.script(say('{"name": "Paris"}'), say(json.dumps(PARIS)))
    structured = model(server).with_structured_output(schema, include_raw=True)
    with get_usage_metadata_callback() as counter:
        result = structured.invoke("Go.")
    assert result["parsing_error"] is None
    *_, own, reason = server.requests[1]["messages"]
    assert own == {"role": "assistant", "content": '{"name": "Paris"}', **_thoughts(own)}
    assert reason["role"] == "user"
    assert "people" in reason["content"]
    (spent,) = counter.usage_metadata.values()
    assert result["raw"].usage_metadata["total_tokens"] == spent["total_tokens"]


def test_the_repair_of_a_tool_call_answers_the_call(server: KimiServer) -> None:
    server.script(turn(call("Place", name="Paris")), turn(call("Place", **PARIS)))
    structured = model(server).with_structured_output(Place, method="function_calling")
    assert structured.invoke("Go.") == Place(**PARIS)
    assert [message["role"] for message in server.requests[1]["messages"]] == [
        "user",
        "assistant",
        "tool",
    ]


@pytest.mark.parametrize("how", ["invoke", "stream"])
def test_the_repair_is_bounded_and_the_error_typed(server: KimiServer, how: str) -> None:
    server.script(say('{"name": "Paris"}'), say('{"name": "Rome"}'), say(json.dumps(PARIS)))
    structured = model(server).with_structured_output(Place)
    with pytest.raises(KimiStructuredOutputError, match="people") as raised:
        structured.invoke("Go.") if how == "invoke" else list(structured.stream("Go."))
    assert len(server.requests) == 2
    assert isinstance(raised.value.partial, AIMessage)
    assert raised.value.partial.text == '{"name": "Rome"}'


def test_the_repair_can_be_switched_off(server: KimiServer) -> None:
    server.script(say("no JSON at all"))
    with pytest.raises(KimiStructuredOutputError, match="no JSON"):
        model(server).with_structured_output(Place, repair=False).invoke("Go.")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(unauthorized(), KimiAuthenticationError), (rate_limited(), KimiRateLimitError)],
)
def test_refusals_are_no_reason_for_another_method(
    server: KimiServer, fault: Any, expected: type[Exception]
) -> None:
    server.script(fault, say(json.dumps(PARIS)))
    with pytest.raises(expected):
        model(server, max_retries=0).with_structured_output(Place).invoke("Go.")
    assert len(server.exchanges) == 1


def test_include_raw_keeps_errors_and_reasoning(server: KimiServer) -> None:
    server.script(turn(think("Hm."), say("words")))
    structured = model(server).with_structured_output(Place, include_raw=True, repair=False)
    result = structured.invoke("Go.")
    assert set(result) == {"raw", "parsed", "parsing_error"}
    assert result["parsed"] is None
    assert isinstance(result["parsing_error"], KimiStructuredOutputError)
    assert result["raw"].additional_kwargs["reasoning_content"] == "Hm."


def test_streamed_dicts_grow(server: KimiServer) -> None:
    server.script(turn(think("Hm."), say(json.dumps(PARIS))))
    pieces = list(model(server).with_structured_output(PLAIN).stream("Go."))
    assert pieces[-1] == PARIS
    assert len(pieces) > 2
    names = [piece.get("name", "") for piece in pieces]
    assert all("Paris".startswith(name) for name in names)


def test_streamed_models_hold_complete_fields_only(server: KimiServer) -> None:
    server.script(say('{"stops": [{"name": "Paris", "people": 1}], "note": "far away"}'))
    *partial, whole = model(server).with_structured_output(Trip).stream("Go.")
    assert whole == Trip(stops=[Place(name="Paris", people=1)], note="far away")
    assert partial
    assert all(isinstance(piece, Trip) for piece in partial)
    assert all(piece.stops == whole.stops for piece in partial)
    assert all(piece.model_fields_set == {"stops"} for piece in partial)
    assert not any(hasattr(piece, "note") for piece in partial)


def test_streamed_with_raw_has_reasoning_beside(server: KimiServer) -> None:
    server.script(turn(think("Hm."), say(json.dumps(PARIS))))
    pieces = list(model(server).with_structured_output(PLAIN, include_raw=True).stream("Go."))
    raw = [piece["raw"] for piece in pieces if "raw" in piece]
    thoughts = "".join(chunk.additional_kwargs.get("reasoning_content", "") for chunk in raw)
    assert thoughts == "Hm."
    assert pieces[-1] == {"parsed": PARIS, "parsing_error": None}


@pytest.mark.parametrize("how", ["stream", "astream", "by hand"])
async def test_a_streamed_repair_has_the_second_reply_and_the_usage_of_both(
    server: KimiServer, how: str
) -> None:
    server.script(
        turn(think("Hm."), say('{"name": 7}')), turn(think("Oh."), say(json.dumps(PARIS)))
    )
    structured = model(server).with_structured_output(Place, include_raw=True)
    with get_usage_metadata_callback() as counter:
        if how == "astream":
            pieces = [piece async for piece in structured.astream("Go.")]
        else:
            pieces = list(structured.stream("Go."))
    last = pieces[-1]
    assert set(last) == {"raw", "parsed", "parsing_error"}
    if how == "by hand":
        first, *rest = [piece["raw"] for piece in pieces if "raw" in piece]
        raw = functools.reduce(operator.add, rest, first)
    else:
        raw = functools.reduce(operator.add, pieces)["raw"]
    assert raw.text == json.dumps(PARIS)
    assert raw.additional_kwargs["reasoning_content"] == "Oh."
    assert isinstance(raw, AIMessageChunk)
    (spent,) = counter.usage_metadata.values()
    assert raw.usage_metadata["total_tokens"] == spent["total_tokens"]
    assert pickle.loads(pickle.dumps(raw)).text == raw.text
    assert json.loads(dumps(raw))["id"][-1] == "AIMessageChunk", "a class that core can load"


def test_a_repair_in_vain_streams_the_second_reply_and_the_error(server: KimiServer) -> None:
    server.script(say('{"name": 7}'), say('{"name": 8}'))
    *_, last = model(server).with_structured_output(Place, include_raw=True).stream("Go.")
    assert last["raw"].text == '{"name": 8}'
    assert last["parsed"] is None
    assert last["parsing_error"].partial.text == '{"name": 8}'


@pytest.mark.parametrize("include_raw", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_copied_and_pickled(
    server: KimiServer, kind: str, method: Any, include_raw: bool
) -> None:
    schema, answer, wanted = KINDS[kind]
    name = read_schema(schema).name
    reply = call(name, **answer) if method == "function_calling" else say(json.dumps(answer))
    structured = model(server).with_structured_output(
        schema, method=method, include_raw=include_raw
    )
    pickled = pickle.dumps(structured)
    assert SECRET.encode() not in pickled
    for twin in (pickle.loads(pickled), copy.deepcopy(structured), copy.copy(structured)):
        for got in (
            lambda twin=twin: twin.invoke("Go."),
            lambda twin=twin: list(twin.stream("Go."))[-1],
        ):
            server.script(reply)
            result = got()
            assert (result["parsed"] if include_raw else result) == wanted
    assert len({json.dumps(body) for body in server.requests}) == 2, "invoked and streamed"


def test_thinking_bound_before_survives(server: KimiServer) -> None:
    server.script(say(json.dumps(PARIS)))
    model(server).bind(thinking=False).with_structured_output(Place).invoke("Go.")
    assert server.requests[0]["chat_template_kwargs"] == {"thinking": False}


def test_tools_and_schema_combine(each: KimiServer) -> None:
    def look_up(city: str) -> str:
        """Look a city up."""
        return city

    each.clear()
    bound = model(each).bind_tools([look_up])
    each.script(say(json.dumps(PARIS)))
    assert bound.with_structured_output(Place).invoke("Go.") == Place(**PARIS)
    assert each.requests[-1]["tools"][0]["function"]["name"] == "look_up"
    each.script(call("look_up", city="Paris"))
    with pytest.raises(KimiStructuredOutputError, match="calls look_up"):
        bound.with_structured_output(Place).invoke("Go.")


@pytest.mark.parametrize(
    ("schema", "arguments", "words"),
    [
        (Place, {"method": "xml"}, "json_schema, function_calling, json_mode"),
        (None, {}, "needs a schema"),
        ({"type": "objekt"}, {}, "not valid"),
        (object(), {}, "cannot be used"),
    ],
)
def test_what_cannot_be_used_is_said(
    server: KimiServer, schema: Any, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(KimiInvalidInputError, match=words):
        model(server).with_structured_output(schema, **arguments)
    assert server.exchanges == [], "binding asks nobody"


def _thoughts(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key.startswith("reasoning")}
