"""`create_agent(response_format=…)` on every endpoint, with tools and without, streamed or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import (
    ProviderStrategy,
    StructuredOutputValidationError,
    ToolStrategy,
)
from langchain_core.messages import AIMessage

from langchain_kimi import ChatKimi, create_tool_agent
from langchain_kimi.models import MODELS, facts_of
from langchain_kimi.testing import KimiServer, call, say, think, turn

from .kinds import PARIS, City, Place, Point

ENDPOINTS = ["nvidia", "vllm", "sglang", "moonshot"]
MODES = ["invoke", "ainvoke", "values", "messages", "astream"]


@pytest.fixture(scope="module", params=ENDPOINTS)
def running(request: pytest.FixtureRequest) -> Iterator[KimiServer]:
    with KimiServer(request.param) as server:
        yield server


@pytest.fixture
def llm(running: KimiServer) -> Iterator[ChatKimi]:
    running.clear()
    model = ChatKimi(
        base_url=running.base_url, api_key="k", endpoint=running.dialect, max_retries=0
    )
    yield model
    model.close()


def look_up(city: str) -> str:
    """Look a city up."""
    return f"{city} has 2,100,000 people"


async def run(agent: Any, mode: str) -> dict[str, Any]:
    """Run an agent in one of the ways people run agents; return its last state."""
    given = {"messages": [("user", "How many people live in Paris?")]}
    if mode == "invoke":
        return dict(agent.invoke(given))
    if mode == "ainvoke":
        return dict(await agent.ainvoke(given))
    modes = ["values", "messages"] if mode == "astream" else [mode, "values"]
    if mode == "astream":
        pieces = [piece async for piece in agent.astream(given, stream_mode=modes)]
    else:
        pieces = list(agent.stream(given, stream_mode=list(dict.fromkeys(modes))))
    return dict([state for kind, state in pieces if kind == "values"][-1])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("with_tools", [False, True])
async def test_the_strategy_that_the_profile_chooses(
    running: KimiServer, llm: ChatKimi, with_tools: bool, mode: str
) -> None:
    answer = turn(think("I know."), say(json.dumps(PARIS)))
    script = [turn(think("Look."), call("look_up", city="Paris")), answer]
    running.script(*(script if with_tools else [answer]))
    tools = [look_up] if with_tools else []

    state = await run(create_agent(llm, tools, response_format=Place), mode)

    assert state["structured_response"] == Place(**PARIS)
    assert len(running.requests) == len(tools) + 1
    last = running.requests[-1]
    assert "tool_choice" not in last
    takes = running.dialect == "moonshot" or (running.dialect != "nvidia" and not with_tools)
    assert ("response_format" in last) == takes
    reasoning = [
        message.additional_kwargs.get("reasoning_content")
        for message in state["messages"]
        if isinstance(message, AIMessage)
    ]
    assert reasoning == (["Look.", "I know."] if with_tools else ["I know."])


@pytest.mark.parametrize("mode", MODES)
async def test_the_strategy_by_tool(running: KimiServer, llm: ChatKimi, mode: str) -> None:
    running.script(turn(call("look_up", city="Paris")), turn(call("Place", **PARIS)))
    agent = create_agent(llm, [look_up], response_format=ToolStrategy(Place))

    state = await run(agent, mode)

    assert state["structured_response"] == Place(**PARIS)
    assert [body["tool_choice"] for body in running.requests] == ["required"] * 2


@pytest.mark.parametrize(
    ("schema", "answer", "wanted"),
    [
        (City, PARIS, PARIS),
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (
            {"title": "P", "type": "object", "properties": {"name": {"type": "string"}}},
            {"name": "Paris"},
            {"name": "Paris"},
        ),
    ],
    ids=["typeddict", "dataclass", "dict"],
)
async def test_kinds_of_schemas(
    running: KimiServer, llm: ChatKimi, schema: Any, answer: Any, wanted: Any
) -> None:
    running.script(say("```json\n" + json.dumps(answer) + "\n```"))

    state = await run(create_agent(llm, [], response_format=schema), "invoke")

    assert state["structured_response"] == wanted


async def test_a_reply_that_does_not_fit_is_an_error(running: KimiServer, llm: ChatKimi) -> None:
    running.script(say('{"name": "Paris"}'))
    agent = create_agent(llm, [], response_format=ProviderStrategy(Place))

    with pytest.raises(StructuredOutputValidationError):
        await run(agent, "invoke")


@pytest.mark.parametrize("model", MODELS)
def test_every_known_model_has_the_provider_strategy(model: str) -> None:
    profile = ChatKimi(model=model).profile

    assert profile is not None
    assert profile["structured_output"] is True


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("dialect", ENDPOINTS)
async def test_every_known_model_answers_by_the_provider_strategy(
    dialect: Any, name: str, thinking: bool
) -> None:
    """With tools or without: the reply is JSON in words, and no tool is forced."""
    id_ = name if dialect == "moonshot" else f"moonshotai/{name}"
    thinking = thinking or not facts_of(name).can_be_instant
    thoughts = [think("Hm.")] if thinking else []
    look, answer = call("look_up", city="Paris"), say(json.dumps(PARIS))
    with KimiServer(dialect, models=[id_]) as server:
        model = ChatKimi(
            model=id_, base_url=server.base_url, api_key="k", endpoint=dialect, thinking=thinking
        )
        for tools in ([], [look_up]):
            for mode in ("invoke", "astream"):
                script = [turn(*thoughts, look), turn(*thoughts, answer)]
                server.script(*(script if tools else script[1:]))

                state = await run(create_agent(model, tools, response_format=Place), mode)

                assert state["structured_response"] == Place(**PARIS)
                sent = server.requests[-1].get("tools", ())
                assert [tool["function"]["name"] for tool in sent] == ["look_up"][: len(tools)]
                assert "tool_choice" not in server.requests[-1]
        assert len(server.requests) == 6
        await model.aclose()


@pytest.mark.parametrize("bound", ["bind", "with_config"])
def test_a_bound_model_answers_in_a_schema_as_a_bare_one_does(
    running: KimiServer, llm: ChatKimi, bound: str
) -> None:
    model: Any = llm.bind(seed=1) if bound == "bind" else llm.with_config(tags=["x"])
    running.script(call("look_up", city="Paris"), say(json.dumps(PARIS)))

    agent = create_tool_agent(model, [look_up], response_format=City)
    result = agent.invoke({"messages": [("user", "How many people live in Paris?")]})

    assert result["structured_response"] == City(**PARIS)
    assert [body.get("tool_choice") for body in running.requests] == [None, None]
    assert "look_up" in {tool["function"]["name"] for tool in running.requests[0]["tools"]}
    assert len(running.requests[0]["tools"]) == 1


async def test_options_of_a_call_go_to_the_model(running: KimiServer, llm: ChatKimi) -> None:
    structured = llm.with_structured_output(City)
    running.script(*[say(json.dumps(PARIS))] * 4)

    for asked in (structured.invoke("?", seed=3), await structured.ainvoke("?", seed=3)):
        assert asked == City(**PARIS)
    assert list(structured.stream("?", seed=3))[-1] == City(**PARIS)
    assert structured.bind(seed=3).invoke("?") == City(**PARIS)

    assert [body["seed"] for body in running.requests] == [3] * 4
