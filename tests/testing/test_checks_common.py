"""What every dialect refuses, each in its own shape of error."""

import pytest

from langchain_kimi.testing import say

from .client import DIALECTS, chat, chat_body, request, tool

pytestmark = pytest.mark.parametrize("dialect", DIALECTS)


@pytest.fixture
def server(kimi_server_factory, dialect):
    return kimi_server_factory(dialect)


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": []},
        {"messages": None},
        {"messages": "Hello"},
        {"messages": [{"content": "no role"}]},
        {"messages": [{"role": "user", "content": 7}]},
        {"messages": [{"role": "user", "content": [{"text": "no type"}]}]},
        {"max_tokens": 0},
        {"tools": [{"type": "function", "function": {"parameters": {}}}]},
        {"tool_choice": {"type": "function", "function": {"name": "absent"}}, "tools": [tool("f")]},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_broken_requests_are_refused(server, dialect, fields):
    answer = chat(server, **fields)

    assert answer.status == 400
    assert answer.error


HELLO = {"role": "user", "content": "Hello"}
CALLED = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": 5},
        {"tools": {"a": 1}},
        {"tools": [None]},
        {"tools": [{"type": "function", "function": 5}]},
        {"tools": [{"type": "function", "function": {"name": 5}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "description": 5}}]},
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": 5}}]},
        {"tools": [tool("f", a=5)]},
        {"tools": [tool("f", a={"type": "object", "properties": 5})]},
        {"tools": [tool("f", a={"type": "object", "required": 5})]},
        {"tools": [tool("f", a={"type": "integer", "minimum": "x", "maximum": 3})]},
        {"tools": [tool("f")], "tool_choice": {"type": "function", "function": 5}},
        {"stop": 5},
        {"stop": [5]},
        {"stop": [None]},
        {"messages": [HELLO, {"role": "assistant", "tool_calls": [5]}]},
        {"messages": [HELLO, {"role": "assistant", "tool_calls": [{**CALLED, "function": 5}]}]},
        {
            "messages": [
                HELLO,
                {
                    "role": "assistant",
                    "reasoning_content": "",
                    "tool_calls": [{**CALLED, "function": {"name": "f", "arguments": 5}}],
                },
                {"role": "tool", "tool_call_id": "a", "content": "r"},
            ]
        },
        {"messages": [HELLO, {"role": "tool", "tool_call_id": ["a"], "content": "r"}]},
    ],
    ids=str,
)
def test_values_of_wrong_types_are_the_clients_mistake(server, dialect, fields):
    """And no failure of the server's, which clients try again."""
    answer = chat(server, **fields)

    assert answer.status == 400
    assert answer.error


def test_a_schema_may_be_a_boolean_below_its_top(server, dialect):
    if dialect == "moonshot":
        pytest.skip("its flavour asks for a type everywhere")
    made = tool("f", a=True, b={"type": "array", "items": False}, c={"anyOf": [True]})

    answer = chat(server, tools=[made], messages=[{**HELLO, "content": "f with a 3 and c 4"}])

    assert answer.status == 200


def test_a_refused_request_takes_no_turn_of_the_script(server, dialect):
    server.script(say("a"))

    chat(server, messages=[])

    assert server.remaining == 1
    assert server.requests[0]["messages"] == []


def test_a_body_that_is_no_json_is_refused(server, dialect):
    answer = request(server, "/v1/chat/completions", b'{"model": ')

    assert answer.status == 400
    assert server.exchanges[0].body == b'{"model": '


def test_a_key_is_asked_for_when_the_server_has_one(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect, api_key="right")
    body = chat_body(server)

    missing = request(server, "/v1/chat/completions", body)
    wrong = request(server, "/v1/chat/completions", body, Authorization="Bearer wrong")
    right = request(server, "/v1/chat/completions", body, Authorization="Bearer right")

    assert [missing.status, wrong.status, right.status] == [401, 401, 200]
    bodies = {
        "vllm": b'{"error":"Unauthorized"}',
        "sglang": b'{"error":"Unauthorized"}',
        "nvidia": b"Unauthorized",
    }
    if dialect == "moonshot":
        assert missing.json["error"]["type"] == "invalid_authentication_error"
    else:
        assert missing.body == bodies[dialect]
    if dialect == "nvidia":
        assert missing.headers["WWW-Authenticate"]
    assert request(server, "/v1/models").status == 401


def test_recorded_headers_hide_the_key(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect, api_key="very-secret")

    request(server, "/v1/models", Authorization="Bearer very-secret")

    assert "very-secret" not in repr(server.exchanges)
    assert server.exchanges[0].headers["authorization"] == "(hidden)"


def test_a_prompt_beyond_the_context_is_refused(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect, context_window=100)

    answer = chat(server, messages=[{"role": "user", "content": "x" * 1000}])

    assert answer.status == 400
    words = {
        "vllm": "This model's maximum context length is 100 tokens. However, your request has 254",
        "nvidia": "This model's maximum context length is 100 tokens.",
        "sglang": "The input (254 tokens) is longer than the model's context length (100 tokens).",
        "moonshot": "Your request exceeded model token limit: 100 (requested: 254)",
    }
    assert answer.error.startswith(words[dialect])
