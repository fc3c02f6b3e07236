"""Ways to run an agent, and a model for each dialect."""

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from langchain_core._api.beta_decorator import LangChainBetaWarning

from langchain_kimi import ChatKimi
from langchain_kimi.testing import KimiServer

Run = Callable[[Any, Any, Any], Awaitable[list[Any]]]

DIALECTS = ("nvidia", "vllm", "sglang", "moonshot")


async def invoked(agent: Any, given: Any, config: Any) -> list[Any]:
    return agent.invoke(given, config)["messages"]


async def ainvoked(agent: Any, given: Any, config: Any) -> list[Any]:
    return (await agent.ainvoke(given, config))["messages"]


async def streamed_messages(agent: Any, given: Any, config: Any) -> list[Any]:
    chunks = list(agent.stream(given, config, stream_mode="messages"))
    assert {meta["langgraph_node"] for _, meta in chunks} >= {"model", "tools"}
    return agent.get_state(config).values["messages"]


async def streamed_updates(agent: Any, given: Any, config: Any) -> list[Any]:
    updates = [update async for update in agent.astream(given, config, stream_mode="updates")]
    assert {node for update in updates for node in update} >= {"model", "tools"}
    return (await agent.aget_state(config)).values["messages"]


async def streamed_both(agent: Any, given: Any, config: Any) -> list[Any]:
    modes = set()
    async for mode, _ in agent.astream(given, config, stream_mode=["messages", "values"]):
        modes.add(mode)
    assert modes == {"messages", "values"}
    return (await agent.aget_state(config)).values["messages"]


async def events_v2(agent: Any, given: Any, config: Any) -> list[Any]:
    names = [e["event"] async for e in agent.astream_events(given, config, version="v2")]
    assert {"on_chat_model_stream", "on_tool_start", "on_tool_end"} <= set(names)
    return (await agent.aget_state(config)).values["messages"]


async def events_v3(agent: Any, given: Any, config: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)
        run = await agent.astream_events(given, config, version="v3")
        methods = [event["method"] async for event in run]
    assert {"messages", "tools", "values"} <= set(methods)
    return (await run.output())["messages"]


RUNS: dict[str, Run] = {
    "invoke": invoked,
    "ainvoke": ainvoked,
    "stream messages": streamed_messages,
    "astream updates": streamed_updates,
    "astream messages and values": streamed_both,
    "events v2": events_v2,
    "events v3": events_v3,
}


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    """Each way to run an agent, streamed and not."""
    return RUNS[request.param]


@pytest.fixture(params=DIALECTS)
def server(request: pytest.FixtureRequest, kimi_server_factory: Any) -> KimiServer:
    """A strict server of each dialect."""
    options = {"parallel_tool_calls": True} if request.param == "nvidia" else {}
    return kimi_server_factory(request.param, api_key="secret-key", **options)


@pytest.fixture
async def model(server: KimiServer) -> AsyncIterator[ChatKimi]:
    """A model of the server."""
    model = ChatKimi(base_url=server.base_url, api_key="secret-key", endpoint=server.dialect)
    yield model
    await model.aclose()
    model.close()
