"""What Moonshot's platform refuses."""

import pytest

from .client import chat, tool

pytestmark = pytest.mark.kimi(dialect="moonshot")
USER = {"role": "user", "content": "Hello"}
OFF = {"thinking": {"type": "disabled"}}


def called(number: int = 0, **fields):
    made = {
        "id": f"functions.f:{number}",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
    }
    return {"role": "assistant", "tool_calls": [made], **fields}


def result(number: int = 0):
    return {"role": "tool", "tool_call_id": f"functions.f:{number}", "content": "1"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.6}, "invalid temperature: only 1 is allowed for this model"),
        ({"temperature": 1.0, **OFF}, "invalid temperature: only 0.6 is allowed for this model"),
        ({"top_p": 1}, "invalid top_p: only 0.95 is allowed for this model"),
        ({"n": 2}, "invalid n: only 1 is allowed for this model"),
        ({"presence_penalty": 1}, "invalid presence_penalty: only 0 is allowed for this model"),
    ],
)
def test_sampling_is_locked(kimi_server, fields, message):
    answer = chat(kimi_server, **fields)

    assert answer.status == 400
    assert answer.json["error"] == {"message": message, "type": "invalid_request_error"}


def test_the_locked_values_themselves_pass(kimi_server):
    assert chat(kimi_server, temperature=1, top_p=0.95, n=1).status == 200
    assert chat(kimi_server, temperature=0.6, **OFF).status == 200


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        ("required", "required"),
        ({"type": "function", "function": {"name": "f"}}, "specified"),
    ],
)
def test_a_forced_call_does_not_go_with_thinking(kimi_server, choice, word):
    thinking = chat(kimi_server, tools=[tool("f")], tool_choice=choice)
    instant = chat(kimi_server, tools=[tool("f")], tool_choice=choice, **OFF)
    k3 = chat(kimi_server, model="kimi-k3", tools=[tool("f")], tool_choice=choice)

    assert thinking.status == 400
    assert thinking.error == f"tool_choice '{word}' is incompatible with thinking enabled"
    assert [instant.status, k3.status] == [200, 200]


def test_reasoning_must_come_back_in_the_running_loop(kimi_server):
    messages = [USER, called(), result()]

    missing = chat(kimi_server, messages=messages)
    empty = chat(kimi_server, messages=[USER, called(reasoning_content=""), result()])
    instant = chat(kimi_server, messages=messages, **OFF)

    assert missing.status == 400
    assert missing.error == (
        "thinking is enabled but reasoning_content is missing in assistant tool call message at "
        "index 1"
    )
    assert [empty.status, instant.status] == [200, 200]


def test_older_loops_need_no_reasoning_unless_preserved(kimi_server):
    messages = [
        USER,
        called(),
        result(),
        {"role": "assistant", "content": "a"},
        USER,
        called(1, reasoning_content="t"),
        result(1),
    ]

    plain = chat(kimi_server, messages=messages)
    keeping = chat(kimi_server, messages=messages, thinking={"type": "enabled", "keep": "all"})
    code = chat(kimi_server, messages=messages, model="kimi-k2.7-code")

    assert plain.status == 200
    assert keeping.error.endswith("message at index 1")
    assert code.error.endswith("message at index 1")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (
            {"role": "assistant", "content": "", "reasoning_content": ""},
            "the message at position 1 with role 'assistant' must not be empty",
        ),
        (
            {"role": "user", "content": ""},
            "the message at position 1 with role 'user' must not be empty",
        ),
        ({"role": "user", "content": [{"type": "text", "text": ""}]}, "text content is empty"),
        ({"role": "tool", "tool_call_id": "x", "content": "1"}, "tool_call_id  is not found"),
    ],
)
def test_messages_that_are_refused(kimi_server, message, error):
    answer = chat(kimi_server, messages=[USER, message])

    assert answer.status == 400
    assert answer.error == error


@pytest.mark.parametrize(
    "messages",
    [
        [USER, called(reasoning_content="t")],
        [USER, called(reasoning_content="t"), USER],
        [USER, called(reasoning_content="t"), result(1)],
        [USER, called(reasoning_content="t"), result(), result()],
    ],
    ids=["no result", "user instead", "another id", "twice"],
)
def test_calls_and_results_must_pair(kimi_server, messages):
    answer = chat(kimi_server, messages=messages)

    assert answer.status == 400
    assert "tool_call_id" in answer.error


def test_each_call_needs_its_own_result(kimi_server):
    """Two calls under one id: no result can answer both."""
    twice = called(reasoning_content="t")
    twice["tool_calls"] *= 2

    assert "functions.f:0" in chat(kimi_server, messages=[USER, twice, result()]).error


def test_the_budget_must_fit_behind_the_prompt(kimi_server):
    answer = chat(kimi_server, max_completion_tokens=300_000)

    assert answer.status == 400
    assert answer.error.startswith("invalid max_completion_tokens: at most 262")
    assert chat(kimi_server, max_completion_tokens=262_000).status == 200


@pytest.mark.parametrize(
    "stop", [["a", "b", "c", "d", "e", "f"], ["x" * 33], ["é" * 17]], ids=["six", "long", "bytes"]
)
def test_stop_strings_have_limits(kimi_server, stop):
    assert chat(kimi_server, stop=stop).status == 400
    assert chat(kimi_server, stop=stop[0][:16]).status == 200


@pytest.mark.parametrize("name", ["1st", "a.b", "a b", "x" * 257, "get_$"])
def test_tool_names_have_rules(kimi_server, name):
    assert chat(kimi_server, tools=[tool(name)]).status == 400


def test_tool_names_are_unique(kimi_server):
    answer = chat(kimi_server, tools=[tool("f"), tool("f")])

    assert answer.error == "function name f is duplicated"


def test_builtin_functions_have_a_name_of_their_own_kind(kimi_server):
    builtin = {"type": "builtin_function", "function": {"name": "$web_search"}}

    assert chat(kimi_server, tools=[builtin]).status == 200


def test_a_schema_without_types_is_refused_in_its_words(kimi_server):
    answer = chat(kimi_server, tools=[tool("f", X={"description": "no type"})])

    assert "At path 'properties.X': type is not defined" in answer.error


@pytest.mark.parametrize(
    "given",
    [
        {"schema": {"type": "object"}},
        {"name": "a"},
        {"name": "a", "schema": {"type": "object"}, "strict": "yes"},
        {"name": "a", "schema": {"oneOf": [{"type": "string"}]}},
    ],
)
def test_response_schemas_are_checked(kimi_server, given):
    wanted = {"type": "json_schema", "json_schema": given}

    assert chat(kimi_server, response_format=wanted).status == 400


def test_partial_mode_does_not_go_with_json(kimi_server):
    begun = [USER, {"role": "assistant", "content": "{", "partial": True}]

    assert chat(kimi_server, messages=begun).status == 200
    answer = chat(kimi_server, messages=begun, response_format={"type": "json_object"})
    assert answer.status == 400


def test_an_unknown_model_is_not_found(kimi_server):
    answer = chat(kimi_server, model="kimi-k2.5")

    assert answer.status == 404
    assert answer.json["error"]["type"] == "resource_not_found_error"


@pytest.mark.parametrize("switch", [True, {"type": "on"}, {"type": "enabled", "keep": "some"}])
def test_the_thinking_switch_is_checked(kimi_server, switch):
    assert chat(kimi_server, thinking=switch).status == 400
