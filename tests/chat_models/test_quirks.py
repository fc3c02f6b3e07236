"""What servers get wrong in a reply that is there all the same: the message is right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage

from langchain_kimi.errors import (
    KimiContentFilterError,
    KimiContextOverflowError,
    KimiEmptyReplyError,
    KimiToolChoiceError,
)
from langchain_kimi.testing import (
    broken_arguments,
    call,
    chunked,
    comment,
    dict_arguments,
    dropped_calls,
    duplicate_ids,
    finish,
    framed,
    interleaved,
    late_names,
    leaked,
    missing_ids,
    missing_indexes,
    missing_names,
    raw,
    raw_control_characters,
    say,
    think,
    turn,
)

from .calling import Ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi import ChatKimi
    from langchain_kimi.testing import KimiServer
    from langchain_kimi.testing.script import Part


def write(path: str, text: str) -> str:
    """Write a text to a file."""
    return f"{path}: {text}"


def read(path: str) -> str:
    """Read a file."""
    return path


TEXT = 'line one\nline "two"\t{end}'
QUIRKS: dict[str, list[Part]] = {
    "as_it_should_be": [],
    "leaked_into_content": [leaked()],
    "leaked_into_reasoning": [leaked("reasoning")],
    "leaked_singular": [leaked(section="singular")],
    "leaked_without_a_section": [leaked(section=None)],
    "leaked_with_bad_headers": [leaked(header="functions{name}{index}")],
    "leaked_with_short_headers": [leaked(header="functions.{name}")],
    "late_names": [late_names()],
    "late_names_interleaved": [late_names(), interleaved()],
    "missing_ids": [missing_ids()],
    "missing_indexes": [missing_indexes()],
    "duplicate_ids": [duplicate_ids()],
    "interleaved": [interleaved()],
    "dict_arguments": [dict_arguments()],
    "raw_control_characters": [raw_control_characters()],
    "leaked_raw_control_characters": [raw_control_characters(), leaked()],
    "carriage_returns": [framed(newline="\r\n")],
    "old_mac_newlines": [framed(newline="\r")],
    "events_and_comments": [framed(event="message", comment="ping {not json")],
    "comment": [comment('{"error": "no"}')],
    "empty_lines": [raw("\n\n\r\n")],
    "one_giant_event": [chunked(None)],
    "single_characters": [chunked(1)],
    "no_finish_reason": [finish(None)],
    "finish_that_says_stop": [finish("stop")],
}


@pytest.mark.parametrize("quirk", QUIRKS)
async def test_calls_come_out_right(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, quirk: str
) -> None:
    calls = [call("write", path="a.txt", text=TEXT), call("read", path="b.txt")]
    server.script(turn(think("Both."), say("I work."), *calls, *QUIRKS[quirk]))
    llm = connect(server).bind_tools([write, read])

    message = await ask(llm, "Write and read.")

    assert [(made["name"], made["args"]) for made in message.tool_calls] == [
        ("write", {"path": "a.txt", "text": TEXT}),
        ("read", {"path": "b.txt"}),
    ]
    assert len({made["id"] for made in message.tool_calls}) == 2
    assert message.invalid_tool_calls == []
    assert message.content == "I work."
    assert message.additional_kwargs == {"reasoning_content": "Both."}
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize(
    ("quirk", "reason"),
    [
        (broken_arguments(), "not valid JSON"),
        (missing_names(), "without a name"),
        (finish("length"), None),
    ],
)
async def test_what_cannot_be_parsed_is_an_invalid_call(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, quirk: Any, reason: str | None
) -> None:
    parts = [call("write", '{"path": "a.txt", "te'), quirk]
    server.script(turn(say("I work."), *parts), say("Again."))
    llm = connect(server).bind_tools([write, read])

    message = await ask(llm, "Write.")
    (invalid,) = message.invalid_tool_calls
    result = ToolMessage("no JSON", tool_call_id=invalid["id"] or "", status="error")
    await ask(llm, [HumanMessage("Write."), message, result])

    assert message.tool_calls == []
    (said,) = message.response_metadata["invalid_tool_call_errors"].values()
    assert (reason or "not valid JSON") in said
    sent = server.requests[1]["messages"][1]["tool_calls"][0]
    assert sent["id"] == server.requests[1]["messages"][2]["tool_call_id"]


async def test_calls_that_get_lost_are_an_error(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(think("I call."), call("read", path="x"), dropped_calls()))

    with pytest.raises(KimiEmptyReplyError, match="neither an answer nor a tool call") as caught:
        await ask(connect(server).bind_tools([read]), "Read.")

    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"] == "I call."


async def test_thoughts_that_used_up_the_budget_are_an_error(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(think("Long thoughts."), finish("length")))

    with pytest.raises(KimiEmptyReplyError, match="raise max_completion_tokens") as caught:
        await ask(connect(server), "Hi")

    assert caught.value.endpoint == server.dialect
    assert caught.value.partial is not None
    assert caught.value.partial.additional_kwargs["reasoning_content"] == "Long thoughts."


async def test_an_answer_that_was_cut_by_the_budget_says_so(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(say("A long answer that never comes to its end."))

    message = await ask(connect(server, max_completion_tokens=4), "Hi")

    assert message.response_metadata["finish_reason"] == "length"
    assert message.content


async def test_a_filtered_reply_is_an_error(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(say("Well, "), finish("content_filter")))

    with pytest.raises(KimiContentFilterError, match="content filter") as caught:
        await ask(connect(server), "Hi")

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Well, "


async def test_a_stop_sequence_before_the_first_word(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(think("hm"), say("END of it")))

    message = await ask(connect(server), "Hi", stop=["END"])

    assert message.content == ""
    assert server.requests[0]["stop"] == ["END"]


async def test_thoughts_without_a_parser_are_told_apart(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    vllm.script(*[turn(say("I think.</think>The answer."))] * 2)
    llm = connect(vllm)

    first = await ask(llm, "Hi")
    second = await ask(llm, "Hi")

    assert caplog.text.count("start it with a reasoning parser") == 1
    said = {"content": "The answer.", "reasoning_content": "I think."}
    assert {"content": second.content, **second.additional_kwargs} == said
    if not ask.streams:
        assert {"content": first.content, **first.additional_kwargs} == said


@pytest.mark.parametrize(("choice", "made"), [("any", []), ("write", [call("read", path="x")])])
async def test_a_model_that_cannot_be_forced_is_checked(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, choice: str, made: list[Any]
) -> None:
    vllm.script(turn(say("I would rather not."), *made))
    llm = connect(vllm, model="moonshotai/Kimi-K2.7-Code")

    with pytest.raises(KimiToolChoiceError, match="cannot be forced while it thinks") as caught:
        await ask(llm.bind_tools([write, read], tool_choice=choice), "Write.")

    assert caught.value.partial is not None
    assert vllm.requests[0]["tool_choice"] == "auto"


async def test_a_forced_call_is_made_without_thinking(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(think("never said"), call("write", path="a", text="b")))

    message = await ask(connect(server).bind_tools([write, read], tool_choice="write"), "Write.")

    assert [made["name"] for made in message.tool_calls] == ["write"]
    assert message.additional_kwargs == {}
    assert message.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("ask", [Ask("stream"), Ask("astream")])
async def test_a_refusal_in_the_middle_of_a_stream_is_not_asked_again(
    vllm: KimiServer, connect: Callable[..., ChatKimi], png: dict[str, Any], ask: Ask
) -> None:
    """A late "too large" must not begin the answer once more behind what was streamed."""
    late = {"message": "This model's maximum context length is 10 tokens.", "code": 400}
    event = f"data: {json.dumps({'error': late})}\n\n"
    vllm.script(turn(say("Half an "), raw(event)), say("Whole answer."))

    with pytest.raises(KimiContextOverflowError) as caught:
        await ask.chunks(connect(vllm), [HumanMessage([png] * 4)])

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Half an "
    assert len(vllm.requests) == 1
