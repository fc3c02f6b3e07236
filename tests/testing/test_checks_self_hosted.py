"""What vLLM and SGLang refuse, and what they let pass."""

import pytest

from langchain_kimi.testing import say

from .client import chat, stream, tool


def history(call_id: str, arguments: str = "{}", role: str = "user"):
    made = {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}
    return [
        {"role": role, "content": "Hello"},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": call_id, "content": "1"},
    ]


def test_vllm_does_not_know_the_model(kimi_server):
    answer = chat(kimi_server, model="nobody/nothing")

    assert answer.status == 404
    assert answer.json == {
        "error": {
            "message": "The model `nobody/nothing` does not exist.",
            "type": "NotFoundError",
            "param": "model",
            "code": 404,
        }
    }


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
def test_as_many_choices_come_as_are_asked_for(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect, chunk_chars=2)
    server.script(say("abcd"), say("abcd"))

    whole = chat(server, n=2).json["choices"]
    events = [e for e in stream(server, n=2).events if e != "[DONE]" and e["choices"]]

    assert [(c["index"], c["message"]["content"]) for c in whole] == [(0, "abcd"), (1, "abcd")]
    assert {len(event["choices"]) for event in events} == {1}
    assert [event["choices"][0]["index"] for event in events] == [0, 1] * (len(events) // 2)
    assert chat(server, n=0).status == 400


@pytest.mark.kimi(dialect="sglang")
def test_sglang_does_not_look_at_the_model(kimi_server):
    answer = chat(kimi_server, model="nobody/nothing")

    assert answer.json["model"] == "nobody/nothing"


@pytest.mark.parametrize("dialect", ["vllm", "sglang"])
@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 2.1},
        {"temperature": -1},
        {"temperature": "hot"},
        {"top_p": 0},
        {"max_completion_tokens": 0},
        {"response_format": {"type": "xml"}},
        {"response_format": {"type": "json_schema"}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        {"tool_choice": "required"},
    ],
    ids=str,
)
def test_wrong_values_are_refused(kimi_server_factory, dialect, fields):
    assert chat(kimi_server_factory(dialect), **fields).status == 400


def test_vllm_refuses_a_budget_beyond_the_context_in_its_words(kimi_server_factory):
    server = kimi_server_factory("vllm", context_window=1000)

    answer = chat(server, max_completion_tokens=1000)

    assert answer.status == 400
    assert answer.error == (
        "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context "
        "length is 1000 tokens and your request has 6 input tokens (1000 > 1000 - 6)."
    )


def test_sglang_refuses_a_budget_beyond_the_context_in_its_words(kimi_server_factory):
    server = kimi_server_factory("sglang", context_window=1000)

    answer = chat(server, max_tokens=1000)

    assert "maximum context length of 1000 tokens" in answer.error
    assert "a total of 1006 tokens" in answer.error


def test_vllm_refuses_stream_options_without_a_stream(kimi_server):
    answer = chat(kimi_server, stream_options={"include_usage": True})

    assert "stream=True" in answer.error


@pytest.mark.parametrize(
    "messages",
    [
        history("call_abc"),
        history("functions.f:0", arguments='{"broken'),
        history("functions.f:0", role="wizard"),
        history("functions.f:0")[:1] + history("functions.f:0")[2:],
    ],
    ids=["foreign id", "broken arguments", "odd role", "orphan result"],
)
def test_vllm_lets_odd_histories_pass(kimi_server, messages):
    kimi_server.script(say("a"))

    assert chat(kimi_server, messages=messages).message["content"] == "a"


@pytest.mark.kimi(dialect="sglang")
def test_sglang_refuses_a_result_without_its_call(kimi_server):
    user, assistant, result = history("functions.f:0")

    orphan = chat(kimi_server, messages=[user, result])
    late = chat(kimi_server, messages=[user, assistant, user, result])
    paired = chat(kimi_server, messages=[user, assistant, result, result])

    assert [orphan.status, late.status, paired.status] == [400, 400, 200]
    assert "role 'tool'" in orphan.error


@pytest.mark.kimi(dialect="sglang")
def test_sglang_refuses_a_call_forced_without_tools(kimi_server):
    answer = chat(kimi_server, tool_choice="required")

    assert answer.error == "Tools cannot be empty if tool choice is set to required."
    assert answer.json["object"] == "error"


def test_a_tool_chosen_by_name_must_be_declared(kimi_server):
    choice = {"type": "function", "function": {"name": "g"}}

    assert chat(kimi_server, tools=[tool("f")], tool_choice=choice).status == 400
    assert chat(kimi_server, tools=[tool("g")], tool_choice=choice).status == 200
