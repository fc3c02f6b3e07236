"""Remote sub-agents on servers that are away for a while, forgetful, or not what they seem."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi.swarm import RemoteUnavailableError, remote_graph, running
from langchain_kimi.swarm.remote import RemoteRefusedError

from .agent_server import AgentServer
from .test_remote import BEGIN, agent


@pytest.fixture
def server() -> Iterator[AgentServer]:
    with AgentServer() as server:
        yield server


async def ask(graph: Any, text: str, thread: str = "t") -> str:
    config = {"configurable": {"thread_id": thread}}
    found = await graph.ainvoke({"messages": [HumanMessage(text)]}, config)
    return str(found["messages"][-1].text)


async def test_a_second_question_is_asked_and_a_first_one_not_again(server: AgentServer) -> None:
    graph = remote_graph("worker", server.url)
    assert await ask(graph, "one") == "did one"
    assert await ask(graph, "one") == "did one"
    assert server.asked.count(("POST", "threads/ID/runs")) == 1
    assert await ask(graph, "two") == "did two"


async def test_a_server_that_knows_nothing_is_told_the_conversation(server: AgentServer) -> None:
    graph = remote_graph("worker", server.url)
    graph.checkpointer = InMemorySaver()
    await ask(graph, "one")
    server.threads.clear()
    assert await ask(graph, "two") == "did two"
    (thread,) = server.threads.values()
    assert [m["content"] for m in thread["messages"]] == ["one", "did one", "two", "did two"]


async def test_a_run_that_its_server_forgot_is_begun_again(server: AgentServer) -> None:
    server.seconds = 60
    forgotten = threading.Event()

    def forget(_method: str, path: str) -> None:
        if path.endswith("/stream") and not forgotten.is_set():
            forgotten.set()
            server.seconds = 0
            server.threads.clear()

    server.fault = forget
    assert await ask(remote_graph("worker", server.url), "one") == "did one"


async def test_work_waits_for_a_server_that_is_started_anew(server: AgentServer) -> None:
    refusals = iter(range(2))
    server.fault = lambda _method, _path: None if next(refusals, None) is None else (503, b"soon")
    assert await ask(remote_graph("worker", server.url), "one") == "did one"
    server.fault = lambda _method, _path: (503, b"soon")
    with pytest.raises(RemoteUnavailableError, match=": 503"):
        await ask(remote_graph("worker", server.url, patience=0.1), "two")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "threads", b"<html>Gateway</html>"),
        ("GET", "threads/ID/runs", b'{"runs": []}'),
        ("POST", "threads/ID/runs", b"{}"),
        ("GET", "threads/ID/state", b"null"),
        ("GET", "threads/ID/state", b'{"values": {"messages": "PRIVATE"}}'),
        ("GET", "threads/ID/state", b'{"values": {"messages": [{"type": "z", "x": "PRIVATE"}]}}'),
        ("GET", "threads/ID/state", b'{"values": {"messages": [{"role": "z"}]}}'),
        ("GET", "threads/ID/state", b'{"values": {}, "tasks": [{"interrupts": [{"value": 1}]}]}'),
    ],
)
async def test_what_is_no_agent_protocol_is_passed_over(
    server: AgentServer, method: str, path: str, body: bytes
) -> None:
    server.fault = lambda *asked: (200, body) if asked == (method, path) else None
    with AgentServer() as other:
        graph = remote_graph("worker", [server.url, other.url], patience=0)
        assert await ask(graph, "one") == "did one"
        other.fault = server.fault
        with pytest.raises(RemoteUnavailableError) as caught:
            await ask(graph, "two")
    assert "PRIVATE" not in str(caught.value)


async def test_a_refusal_is_told_without_what_was_sent(server: AgentServer) -> None:
    server.fault = lambda *_: (401, b'{"detail": "bad key s3cret-key, bad t0ken-word"}')
    headers = {"Authorization": "Bearer t0ken-word"}
    graph = remote_graph("worker", server.url, api_key="s3cret-key", headers=headers)
    with pytest.raises(RemoteRefusedError, match=r"answered 401: bad key \[hidden\]") as caught:
        await ask(graph, "one")
    assert "s3cret-key" not in str(caught.value)
    assert "t0ken-word" not in str(caught.value)


@pytest.mark.parametrize("moment", ["threads/ID/runs", "threads/ID/runs/ID"])
async def test_a_cancelled_sub_agent_is_cancelled_there_at_any_moment(
    tmp_path: Path, server: AgentServer, moment: str
) -> None:
    server.seconds = 3600
    reached, go_on = threading.Event(), threading.Event()
    begin = server.begin

    def held(*given: Any) -> Any:
        run = begin(*given)
        if moment == "threads/ID/runs":
            reached.set()
            go_on.wait(20)
        return run

    def fault(method: str, path: str) -> None:
        if (method, path) == ("GET", moment) and moment.endswith("/runs/ID"):
            reached.set()
            go_on.wait(20)

    server.begin, server.fault = held, fault  # type: ignore[method-assign]
    task = asyncio.ensure_future(
        agent(tmp_path, [server.url], ["share"]).ainvoke(
            BEGIN, {"configurable": {"thread_id": moment}}
        )
    )
    assert await asyncio.to_thread(reached.wait, 30)
    handle = running(moment)
    assert handle is not None
    handle.cancel()
    assert (await task)["status"] == "cancelled"
    (thread,) = server.threads.values()
    async with asyncio.timeout(20):
        while thread["runs"][0]["status"] != "interrupted":  # noqa: ASYNC110  another thread's
            await asyncio.sleep(0.02)
    go_on.set()


async def test_a_server_that_hangs_does_not_hold_a_cancelled_run_up(
    tmp_path: Path, server: AgentServer
) -> None:
    server.seconds = 3600
    let_go = threading.Event()

    def fault(_method: str, path: str) -> None:
        if path.endswith("/cancel"):
            let_go.wait(30)

    server.fault = fault
    task = asyncio.ensure_future(
        agent(tmp_path, [server.url], ["share"]).ainvoke(
            BEGIN, {"configurable": {"thread_id": "hangs"}}
        )
    )
    async with asyncio.timeout(30):
        while ("GET", "threads/ID/runs/ID") not in server.asked:  # noqa: ASYNC110  another thread's
            await asyncio.sleep(0.02)
    handle = running("hangs")
    assert handle is not None
    handle.cancel()
    found = await task  # while the server still hangs, or the test's time is up
    assert not let_go.is_set()
    assert found["status"] == "cancelled"
    let_go.set()
