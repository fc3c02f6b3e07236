"""Sub-agents as runs on two real LangGraph servers, one of which goes away in the middle."""

from __future__ import annotations

import asyncio
import json
import signal
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from langgraph_sdk import get_client

from langchain_kimi.swarm import (
    RemoteUnavailableError,
    RetryPolicy,
    SubAgent,
    create_background_agent,
    remote_graph,
    running,
)
from langchain_kimi.swarm.remote import _rank, _thread
from tests.langgraph_dev import langgraph_dev_process

from .fakes import FakeModel, calls, is_orchestrator, say, steps_of

pytestmark = pytest.mark.timeout(180)

GRAPH = """
import asyncio
import os
from pathlib import Path

from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

WHO = os.environ["WHO"]


def note(text):
    with Path(os.environ["LOG"]).open("a") as file:
        file.write(f"{WHO} {text}\\n")


async def work(state: MessagesState) -> dict:
    text = state["messages"][-1].content
    await asyncio.to_thread(note, text)
    if "slow" in text:
        await asyncio.sleep(2)
    if "ask" in text:
        text = f"{text}: {interrupt('May I?')}"
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {"messages": [AIMessage(f"{WHO} did {text}", usage_metadata=usage)]}


graph = StateGraph(MessagesState).add_node(work).add_edge(START, "work").compile()
"""


class Servers:
    """Two servers, and what they wrote down."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.log = folder / "worked"
        self.log.touch()
        self.urls: list[str] = []
        self.processes: list[Any] = []
        for number in (1, 2):
            place = folder / str(number)
            place.mkdir()
            (place / "graph.py").write_text(GRAPH)
            configuration = {"dependencies": ["."], "graphs": {"worker": "./graph.py:graph"}}
            (place / "langgraph.json").write_text(json.dumps(configuration))
            url, process = stack.enter_context(
                langgraph_dev_process(place, WHO=f"server{number}", LOG=str(self.log))
            )
            self.urls.append(url)
            self.processes.append(process)

    def worked(self, text: str) -> list[str]:
        """Return who worked on something, each time."""
        lines = self.log.read_text().splitlines()
        return [line.split(" ", 1)[0] for line in lines if line.split(" ", 1)[1] == text]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with ExitStack() as stack:
        yield Servers(tmp_path_factory.mktemp("servers"), stack)


def agent(folder: Path, urls: list[str], prompts: list[str], **settings: Any) -> Any:
    def rule(messages: Any) -> Any:
        assert is_orchestrator(messages)
        if steps_of(messages):
            return say("All done.")
        return calls(*(("assign_task", {"agent": "far", "prompt": text}) for text in prompts))

    far = SubAgent(name="far", description="Elsewhere.", runnable=remote_graph("worker", urls))
    return create_background_agent(
        FakeModel(rule=rule),
        subagents=[far],
        journal=folder / "j.sqlite",
        checkpointer=InMemorySaver(),
        retry=RetryPolicy(wait=0.01, longest_wait=0.02),
        **settings,
    )


def config(name: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": f"{name}-{uuid.uuid4().hex[:8]}"}}


BEGIN = {"messages": [HumanMessage("Go.")]}


def results(found: dict[str, Any]) -> str:
    return "\n".join(m.text for m in found["messages"] if m.type == "tool")


async def test_sub_agents_spread_and_are_counted(tmp_path: Path, servers: Servers) -> None:
    prompts = [f"part {n}" for n in range(12)]
    found = await agent(tmp_path, servers.urls, prompts).ainvoke(BEGIN, config("spread"))
    assert found["status"] == "done"
    assert {who for text in prompts for who in servers.worked(text)} == {"server1", "server2"}
    assert all(len(servers.worked(text)) == 1 for text in prompts)
    assert all(f"did {text}" in results(found) for text in prompts)
    assert found["usage"]["subagents"] == 12
    assert found["usage"]["steps"] == 12 + 2
    assert found["usage"]["output_tokens"] >= 12 * 5


async def test_what_a_remote_run_asks_reaches_the_person(tmp_path: Path, servers: Servers) -> None:
    graph, where = agent(tmp_path, servers.urls, ["ask first", "part of its own"]), config("ask")
    found = await graph.ainvoke(BEGIN, where)
    (asked,) = found["__interrupt__"]
    (action,) = asked.value["action_requests"]
    assert action["args"] == {"question": "May I?"}
    decision = {"type": "respond", "message": "You may."}
    found = await graph.ainvoke(Command(resume={"decisions": [decision]}), where)
    assert "did ask first: You may." in results(found)
    assert found["status"] == "done"


async def test_a_cancelled_sub_agent_is_cancelled_there(tmp_path: Path, servers: Servers) -> None:
    where = config("cancel")
    task = asyncio.ensure_future(
        agent(tmp_path, servers.urls, ["slow to cancel"]).ainvoke(BEGIN, where)
    )
    async with asyncio.timeout(60):
        while not servers.worked("slow to cancel"):  # noqa: ASYNC110  another process's file
            await asyncio.sleep(0.05)
    handle = running(where["configurable"]["thread_id"])
    assert handle is not None
    handle.cancel()
    found = await task
    assert found["status"] == "cancelled"
    async with asyncio.timeout(60):
        while await _busy(servers):  # noqa: ASYNC110  another process's state
            await asyncio.sleep(0.05)


async def _busy(servers: Servers) -> list[Any]:
    found: list[Any] = []
    for url in servers.urls:
        async with get_client(url=url) as client:
            found += await client.threads.search(status="busy")
    return found


async def test_a_run_that_is_there_is_joined_and_not_begun_again(servers: Servers) -> None:
    where: Any = config("join")
    thread = _thread(where)
    first = min(servers.urls, key=lambda url: _rank(thread, url))
    begin = {"messages": [HumanMessage("slow but sure")]}
    async with get_client(url=first) as client:
        await client.threads.create(thread_id=thread)
        asked = [{"role": "user", "content": "slow but sure"}]
        await client.runs.create(thread, "worker", input={"messages": asked})
        graph = remote_graph("worker", servers.urls)
        found = await graph.ainvoke(begin, where)
        again = await graph.ainvoke(begin, where)
        assert len(await client.runs.list(thread)) == 1
    assert found["messages"][-1].text.endswith("did slow but sure")
    assert again["messages"][-1].text == found["messages"][-1].text
    assert len(servers.worked("slow but sure")) == 1


async def test_when_a_server_goes_away_the_other_does_its_work(
    tmp_path: Path, servers: Servers
) -> None:
    prompts = [f"slow share {n}" for n in range(12)]
    task = asyncio.ensure_future(
        agent(tmp_path, servers.urls, prompts).ainvoke(BEGIN, config("away"))
    )
    async with asyncio.timeout(60):
        while not any("server2" in servers.worked(text) for text in prompts):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    servers.processes[1].send_signal(signal.SIGKILL)
    found = await task
    assert found["status"] == "done", found["missing"]
    assert all(f"did {text}" in results(found) for text in prompts)
    assert all(
        servers.worked(text)[-1] == "server1" or "server2 did" in results(found) for text in prompts
    )
    # what had ended, or was at work on the other server, is not done again
    assert all(servers.worked(text).count("server1") <= 1 for text in prompts), (
        servers.log.read_text()
    )


async def test_no_server_at_all_is_an_error_of_its_own(servers: Servers) -> None:
    graph = remote_graph("worker", "http://127.0.0.1:9", api_key="secret-key", patience=0)
    with pytest.raises(RemoteUnavailableError, match=r"127\.0\.0\.1:9: ConnectError") as caught:
        await graph.ainvoke(BEGIN, config("nowhere"))
    assert "secret-key" not in str(caught.value) + repr(graph) + repr(vars(graph))
    for urls in ([], "ftp://host"):
        with pytest.raises(ValueError, match="at least one http"):
            remote_graph("worker", urls)
