"""The shapes of replies in each dialect, streamed and not."""

import json

import pytest

from langchain_kimi.testing import call, finish, say, think, turn

from .client import DIALECTS, REASONING, chat, request, stream

pytestmark = pytest.mark.parametrize("dialect", DIALECTS)
HISTORY = [
    {"role": "user", "content": "Hello"},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "hm",
        "tool_calls": [
            {
                "id": "functions.f:0",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "functions.f:0", "content": "1"},
]


@pytest.fixture
def server(kimi_server_factory, dialect):
    return kimi_server_factory(dialect, seed=7, chunk_chars=4)


def test_reply(server, dialect):
    server.script(think("I think."), say("Yes."))

    reply = chat(server).json

    choice = reply["choices"][0]
    assert reply["object"] == "chat.completion"
    assert reply["id"].startswith("chatcmpl-")
    assert reply["model"] == server.settings.models[0]
    assert reply["system_fingerprint"] == "scripted (no model)"
    assert choice["message"]["content"] == "Yes."
    assert choice["message"][REASONING[dialect]] == "I think."
    assert choice["finish_reason"] == "stop"
    other = {"reasoning", "reasoning_content"} - {REASONING[dialect]}
    assert not other & choice["message"].keys()


def test_streamed_reply(server, dialect):
    server.script(think("I think."), say("Yes, é."))

    answer = stream(server)

    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.events[-1] == "[DONE]"
    assert answer.text(REASONING[dialect]) == "I think."
    assert answer.text("content") == "Yes, é."
    first, last = answer.events[0], answer.events[-2]
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"]["role"] == "assistant"
    assert first["choices"][0]["delta"]["content"] == ""
    assert last["choices"][0]["finish_reason"] == "stop"
    assert {event["id"] for event in answer.events[:-1]} == {first["id"]}


def test_calls_are_numbered_over_the_conversation(server, dialect):
    server.script(call("f", x=1), call("g"))

    reply = chat(server, messages=HISTORY)

    calls = reply.message["tool_calls"]
    assert [made["id"] for made in calls] == ["functions.f:1", "functions.g:2"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"x": 1}
    assert reply.json["choices"][0]["finish_reason"] == "tool_calls"


def test_streamed_calls(server, dialect):
    server.script(call("f", text="a longer text"), call("g"))

    answer = stream(server)

    deltas = answer.call_deltas
    named = [delta for delta in deltas if delta["function"].get("name")]
    assert [delta["id"] for delta in named] == ["functions.f:0", "functions.g:1"]
    assert [delta["index"] for delta in named] == [0, 1]
    for index, wanted in ((0, {"text": "a longer text"}), (1, {})):
        pieces = [d["function"].get("arguments") or "" for d in deltas if d["index"] == index]
        assert json.loads("".join(pieces)) == wanted
    assert answer.events[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_the_first_delta_of_a_call(server, dialect):
    server.script(call("f", text="a longer text"))

    first = stream(server).call_deltas[0]

    arguments = first["function"]["arguments"]
    assert arguments == ("" if dialect == "sglang" else '{"te')


def test_thinking_off_by_the_dialects_own_switch(server, dialect):
    server.script(turn(think("hidden"), say("Yes.")))
    switch = (
        {"thinking": {"type": "disabled"}}
        if dialect == "moonshot"
        else {"chat_template_kwargs": {"thinking": False}}
    )

    message = chat(server, **switch).message

    assert message["content"] == "Yes."
    assert not message.get(REASONING[dialect])


def test_empty_reasoning_is_kept(server, dialect):
    server.script(turn(think(""), say("Yes.")))

    assert chat(server).message[REASONING[dialect]] == ""


def test_usage_counts_reasoning_and_answer(server, dialect):
    server.script(turn(think("12345678"), say("1234")))

    usage = chat(server).json["usage"]

    assert usage["completion_tokens"] == 3
    assert usage["total_tokens"] == usage["prompt_tokens"] + 3


def test_usage_of_a_stream_only_when_asked(server, dialect):
    server.script(say("Yes."), say("Yes."))

    without = stream(server).events
    asked = stream(server, stream_options={"include_usage": True}).events

    assert all(event["choices"] for event in without[:-1])
    assert asked[-2]["choices"] == []
    assert asked[-2]["usage"]["completion_tokens"] == 1


def test_a_budget_spent_on_thinking(server, dialect):
    server.script(think("x" * 400), say("never said"))

    reply = chat(server, max_tokens=10)

    assert reply.json["choices"][0]["finish_reason"] == "length"
    assert reply.message[REASONING[dialect]] == "x" * 40
    assert not reply.message["content"]


def test_a_call_cut_by_the_budget_has_partial_arguments(server, dialect):
    server.script(call("f", text="x" * 400))

    reply = chat(server, max_tokens=10)

    assert reply.json["choices"][0]["finish_reason"] == "length"
    assert len(reply.message["tool_calls"][0]["function"]["arguments"]) == 40


def test_stop_strings_end_the_answer(server, dialect):
    server.script(turn(think("a STOP b"), say("one STOP two"), finish("stop")))

    message = chat(server, stop=["STOP"]).message

    assert message["content"] == "one "
    assert message[REASONING[dialect]] == "a STOP b"


def test_a_seed_repeats_ids_and_times(kimi_server_factory, dialect):
    def reply():
        server = kimi_server_factory(dialect, seed=3)
        server.script(say("a"))
        answer = chat(server).json
        return answer["id"], answer["created"]

    assert reply() == reply()


def test_models_are_listed(server, dialect):
    listing = request(server, "/v1/models").json

    assert listing["object"] == "list"
    assert [model["id"] for model in listing["data"]] == list(server.settings.models)
