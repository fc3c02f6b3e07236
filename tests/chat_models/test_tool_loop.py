"""A tool loop over the wire, in every dialect, streamed and not, with its history replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.base import messages_to_dict
from langchain_core.messages.utils import messages_from_dict

from langchain_kimi.testing import call, call_with_id, say, think, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi import ChatKimi
    from langchain_kimi.testing import KimiServer

    from .calling import Ask

FIELDS = {
    "nvidia": {"reasoning_content"},
    "moonshot": {"reasoning_content"},
    "vllm": {"reasoning", "reasoning_content"},
    "sglang": {"reasoning", "reasoning_content"},
}


def get_weather(city: str) -> str:
    """Get the weather of a city."""
    return f"{city}: sunny"


def saved_and_loaded(messages: list[Any]) -> list[Any]:
    """Take messages through a checkpoint's JSON."""
    return messages_from_dict(messages_to_dict(messages))


@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_reasoning_goes_back_through_the_loop(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, output_version: str
) -> None:
    server.script(
        think("Look it up."),
        call("get_weather", city="Paris"),
        turn(think(""), call("get_weather", city="Rome")),
        think("Both are known."),
        say("Sunny."),
        think("Fine."),
        say("You are welcome."),
    )
    llm = connect(server, output_version=output_version).bind_tools([get_weather])
    history: list[Any] = [SystemMessage("Be brief."), HumanMessage("Weather in Paris and Rome?")]

    for _ in range(2):
        message = await ask(llm, history)
        (made,) = message.tool_calls
        assert message.response_metadata["finish_reason"] == "tool_calls"
        history += [message, ToolMessage("sunny", tool_call_id=made["id"])]
        history = saved_and_loaded(history)
    answer = await ask(llm, history)
    history = saved_and_loaded([*history, answer, HumanMessage("Thanks!")])
    await ask(llm, history)

    assert answer.text == "Sunny."
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]
    *_, third, fourth = server.requests
    turns = [message for message in third["messages"] if message["role"] == "assistant"]
    fields = FIELDS[server.dialect]
    assert [{turn[field] for field in fields} for turn in turns] == [{"Look it up."}, {""}]
    assert all(set(turn) == {"role", "tool_calls", *fields} for turn in turns)
    ids = [turn["tool_calls"][0]["id"] for turn in turns]
    assert ids == ["functions.get_weather:0", "functions.get_weather:1"]
    results = [message for message in third["messages"] if message["role"] == "tool"]
    assert [message["tool_call_id"] for message in results] == ids
    assert not any(fields & set(message) for message in fourth["messages"])


async def test_preserved_reasoning_goes_back_behind_an_answer(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(think("It greets."), say("Hello."), say("Bye."))
    llm = connect(server, preserve_thinking=True)

    answer = await ask(llm, "Hi")
    await ask(llm, [HumanMessage("Hi"), answer, HumanMessage("Bye")])

    last = server.requests[-1]
    (sent,) = (message for message in last["messages"] if message["role"] == "assistant")
    assert {sent[field] for field in FIELDS[server.dialect]} == {"It greets."}
    if server.dialect == "moonshot":
        assert last["thinking"] == {"type": "enabled", "keep": "all"}
    else:
        assert last["chat_template_kwargs"]["preserve_thinking"] is True


async def test_ids_that_the_server_repeats_stay_apart(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(*[turn(call_with_id("functions.get_weather:0", "get_weather", city="Paris"))] * 2)
    llm = connect(server).bind_tools([get_weather])
    first = await ask(llm, "Weather?")
    (made,) = first.tool_calls
    history = [HumanMessage("Weather?"), first, ToolMessage("sunny", tool_call_id=made["id"])]

    second = await ask(llm, history)

    assert made["id"] == "functions.get_weather:0"
    assert second.tool_calls[0]["id"] == "functions.get_weather:1"


async def test_unsafe_names_go_out_aliased_and_come_back(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "db.find-all",
            "description": "Find.",
            "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
        },
    }
    server.script(call("db_find_all", q="x"), say("Done."))
    llm = connect(server).bind_tools([tool], tool_choice="auto")

    message = await ask(llm, "Find x.")
    await ask(llm, [HumanMessage("Find x."), message, ToolMessage("y", tool_call_id="nobody's")])

    assert message.tool_calls[0]["name"] == "db.find-all"
    first, second = server.requests
    assert first["tools"][0]["function"]["name"] == "db_find_all"
    sent = second["messages"][1]["tool_calls"][0]
    assert (sent["function"]["name"], sent["id"]) == ("db_find_all", "functions.db_find_all:0")


async def test_history_of_another_provider_is_taken(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(say("Sunny."))
    foreign = AIMessage(
        [
            {"type": "thinking", "thinking": "Look it up.", "signature": "c2ln"},
            {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Rome"}},
        ],
        tool_calls=[{"id": "toolu_1", "name": "get_weather", "args": {"city": "Rome"}}],
        response_metadata={"model_provider": "anthropic"},
    )
    history = [HumanMessage("Go."), foreign, ToolMessage("sunny", tool_call_id="toolu_1")]

    answer = await ask(connect(server).bind_tools([get_weather]), history)

    assert answer.text == "Sunny."
