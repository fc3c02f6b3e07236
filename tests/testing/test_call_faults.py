"""Tool calls that arrive wrong."""

import json

import pytest

from langchain_kimi.testing import (
    broken_arguments,
    call,
    call_with_id,
    dict_arguments,
    dropped_calls,
    duplicate_ids,
    finish,
    interleaved,
    late_names,
    leaked,
    missing_ids,
    missing_indexes,
    missing_names,
    raw_control_characters,
    say,
    think,
    turn,
)

from .client import DIALECTS, REASONING, chat, stream

CALLS = (call("f", text="abcdefgh"), call("g", n=1))
pytestmark = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture
def server(kimi_server_factory, dialect):
    return kimi_server_factory(dialect, chunk_chars=4)


def both(server, *parts):
    """The calls of the same turn, unstreamed and as deltas."""
    server.script(turn(*parts), turn(*parts))
    return chat(server).message.get("tool_calls"), stream(server).call_deltas


def test_duplicate_ids(server, dialect):
    whole, deltas = both(server, *CALLS, duplicate_ids())

    assert {made["id"] for made in whole} == {"functions.f:0"}
    assert {delta["id"] for delta in deltas if delta.get("id")} == {"functions.f:0"}


def test_missing_ids(server, dialect):
    whole, deltas = both(server, *CALLS, missing_ids())

    assert not any("id" in made for made in [*whole, *deltas])


def test_missing_indexes(server, dialect):
    whole, deltas = both(server, *CALLS, missing_indexes())

    assert not any("index" in made for made in [*whole, *deltas])


def test_missing_names(server, dialect):
    whole, deltas = both(server, *CALLS, missing_names())

    assert not any("name" in made["function"] for made in [*whole, *deltas])


def test_late_names(server, dialect):
    server.script(call("f", text="abcdefgh"), late_names())

    deltas = stream(server).call_deltas

    assert not any(delta["function"].get("name") for delta in deltas[:-1])
    assert deltas[-1] == {"index": 0, "function": {"name": "f"}}


def test_interleaved(server, dialect):
    server.script(call("f", text="abcdefgh"), call("g", text="abcdefgh"), interleaved())

    indexes = [delta["index"] for delta in stream(server).call_deltas]

    assert indexes == [0, 1] * (len(indexes) // 2)


def test_faults_compose(server, dialect):
    server.script(*CALLS, interleaved(), missing_ids(), late_names())

    deltas = stream(server).call_deltas

    assert not any("id" in delta for delta in deltas)
    assert [d["function"]["name"] for d in deltas if d["function"].get("name")] == ["f", "g"]


def test_arguments_as_an_object(server, dialect):
    whole, deltas = both(server, *CALLS, dict_arguments())

    assert [made["function"]["arguments"] for made in whole] == [{"text": "abcdefgh"}, {"n": 1}]
    assert [made["function"]["arguments"] for made in deltas] == [{"text": "abcdefgh"}, {"n": 1}]


def test_broken_arguments(server, dialect):
    whole, _ = both(server, call("f", text="abcdefgh"), broken_arguments())

    assert whole[0]["function"]["arguments"] == '{"text": "'


def test_raw_control_characters(server, dialect):
    whole, _ = both(server, call("f", text="a\nb\tc"), raw_control_characters())
    text = whole[0]["function"]["arguments"]

    assert text == '{"text": "a\nb\tc"}'
    assert json.loads(text, strict=False) == {"text": "a\nb\tc"}


def test_dropped_calls(server, dialect):
    server.script(call("f"), dropped_calls())

    reply = chat(server)

    assert not reply.message.get("tool_calls")
    assert reply.message["content"] is None
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def test_ids_and_arguments_of_ones_own(server, dialect):
    whole, _ = both(server, call_with_id("call_abc", "f", x=1), call("g", "no json"))

    assert whole[0]["id"] == "call_abc"
    assert whole[1]["function"]["arguments"] == "no json"


def test_markers_in_the_content(server, dialect):
    parts = (say("So: "), call("f", x=1), call("g"), leaked())
    server.script(turn(*parts), turn(*parts))

    reply, streamed = chat(server), stream(server)

    assert reply.message["content"] == streamed.text("content")
    assert reply.message["content"] == (
        "So: <|tool_calls_section_begin|>"
        '<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>'
        "<|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{}<|tool_call_end|>"
        "<|tool_calls_section_end|>"
    )
    assert not reply.message.get("tool_calls")
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def test_markers_in_the_reasoning(server, dialect):
    server.script(think("Hm. "), call("f"), leaked("reasoning", section="singular"))

    reasoning = chat(server).message[REASONING[dialect]]

    assert reasoning.startswith("Hm. <|tool_call_section_begin|><|tool_call_begin|>functions.f:0")
    assert reasoning.endswith("<|tool_call_end|><|tool_call_section_end|>")


def test_malformed_headers_without_a_section(server, dialect):
    parts = (call("exec"), leaked(section=None, header="functions{name}5"), finish("tool_calls"))
    server.script(turn(*parts))

    content = chat(server).message["content"]

    assert content == (
        "<|tool_call_begin|>functionsexec5<|tool_call_argument_begin|>{}<|tool_call_end|>"
    )
