"""Runs in a worker of this process: steered, asked, told."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from pydantic import ValidationError

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiAuthenticationError, KimiServerError
from langchain_kimi.swarm import RetryPolicy, create_background_agent
from langchain_kimi.testing import KimiServer, call, say, server_error, unauthorized
from langchain_kimi.workers import Queue, Task, Worker, engine
from langchain_kimi.workers.runner import Runner
from langchain_kimi.workers.webhook import WebhookRefusedError, tell

pytestmark = pytest.mark.timeout(120)


@asynccontextmanager
async def working(
    folder: Path, kimi: KimiServer, tools: list[Any], **options: Any
) -> AsyncIterator[Queue]:
    """Run a worker in this loop meanwhile."""
    asked = options.pop("interrupt_on", {})
    llm = ChatKimi(base_url=kimi.base_url, api_key="x", endpoint="vllm")
    worker = Worker(
        lambda journal, saver: create_background_agent(
            llm, tools, interrupt_on=asked, journal=journal, checkpointer=saver
        ),
        folder,
        grace=0,
        **options,
    )
    serving = asyncio.ensure_future(worker.serve())
    queue = await asyncio.to_thread(Queue, folder)
    try:
        yield queue
    finally:
        worker.stop()
        await serving
        queue.close()
        await llm.aclose()


async def until(true: Callable[[], Any]) -> Any:
    async with asyncio.timeout(30):
        while not (found := await asyncio.to_thread(true)):  # noqa: ASYNC110  it is in a database
            await asyncio.sleep(0.05)
    return found


@tool
async def rest() -> str:
    """Rest for an hour."""
    await asyncio.sleep(3600)
    return "rested"


@tool
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def two_at_rest(request: dict[str, Any]) -> Any:
    said = str(request["messages"])
    if "assign_task" not in str(request.get("tools")):
        return call("rest")
    if "cancelled" in said:
        return say("Both were cancelled.")
    return [
        call("assign_task", agent="general", prompt="one"),
        call("assign_task", agent="general", prompt="two"),
    ]


async def test_a_run_is_looked_at_paused_and_cancelled(tmp_path: Path, kimi: KimiServer) -> None:
    kimi.respond_with(two_at_rest)
    seen: list[str] = []
    options = {"concurrency": 1, "observe": lambda run, event: seen.append(event["event"])}
    async with working(tmp_path, kimi, [rest], **options) as queue:
        run = await asyncio.to_thread(queue.submit, "rest twice", run="resting")
        again = await asyncio.to_thread(queue.submit, "something else", run="resting")
        waiting = await asyncio.to_thread(queue.submit, "later")
        await until(lambda: queue.status(run).state == "running")
        await until(lambda: len(_agents(queue, run, "running")) == 2)
        one, two = await asyncio.to_thread(_agents, queue, run, "running")
        await asyncio.to_thread(queue.pause, run)
        await asyncio.to_thread(queue.resume, run)
        await asyncio.to_thread(queue.send, run, "No hurry.")
        with pytest.raises(ValueError, match="no sub-agent 'nobody'"):
            await asyncio.to_thread(queue.cancel, run, "nobody")
        with pytest.raises(ValueError, match="does not ask for 'it'"):
            await asyncio.to_thread(queue.answer, run, {"it": {"type": "approve"}})
        await asyncio.to_thread(queue.cancel, run, one)
        await until(lambda: _agents(queue, run, "running") == [two])
        await asyncio.to_thread(queue.cancel, waiting)
        assert queue.status(waiting).state == "cancelled"
        await asyncio.to_thread(queue.cancel, run)
        ended = await asyncio.to_thread(queue.wait, run, seconds=20)
        with pytest.raises(ValueError, match="is ended, not at work"):
            await asyncio.to_thread(queue.pause, run)
        assert queue._client.list_workflows(name=engine.CONTROL) == [], "no trace of control stays"
        assert sorted(queue.prune(older_than=0)) == sorted([run, waiting])
        assert queue.runs() == []

    assert again == run
    assert ended.outcome is not None
    assert ended.outcome["status"] == "cancelled"
    assert len(ended.outcome["missing"]) == 2
    assert ended.task == "rest twice"
    assert seen.count("started") == 2


async def test_control_does_not_wait_behind_runs(tmp_path: Path, kimi: KimiServer) -> None:
    kimi.respond_with(two_at_rest)
    async with working(tmp_path, kimi, [rest], concurrency=1) as queue:
        first = await asyncio.to_thread(queue.submit, "rest first")
        await until(lambda: queue.status(first).state == "running")
        await asyncio.to_thread(  # as a worker with more room does, for all
            DBOS.register_queue,
            engine.RUNS,
            worker_concurrency=40,
            polling_interval_sec=0.1,
            on_conflict="always_update",
        )
        runs = [await asyncio.to_thread(queue.submit, f"rest {n}") for n in range(24)]
        await until(lambda: all(one.state == "running" for one in queue.runs()))
        for run in runs:
            await asyncio.to_thread(queue.cancel, run)
        ended = [await asyncio.to_thread(queue.wait, run, seconds=30) for run in runs]
    assert {one.outcome["status"] for one in ended if one.outcome} == {"cancelled"}


async def test_a_run_that_is_taken_while_it_is_cancelled_does_not_go_on(
    tmp_path: Path, kimi: KimiServer
) -> None:
    kimi.respond_with(two_at_rest)
    told: list[dict[str, Any]] = []
    async with working(tmp_path, kimi, [rest], notify=told.append) as queue:
        run = await asyncio.to_thread(queue.submit, "rest")
        await until(lambda: queue.status(run).state == "running")
        queue._client.cancel_workflow(run)  # what `cancel` did, had it seen the run queued
        await until(lambda: told)
    assert told[0]["status"] == "cancelled"


def _agents(queue: Queue, run: str, status: str) -> list[str]:
    return [one["id"] for one in queue.look(run)["agents"] if one["status"] == status]


async def test_a_person_is_asked_and_answers(tmp_path: Path, kimi: KimiServer) -> None:
    def reply(request: dict[str, Any]) -> Any:
        said = str(request["messages"])
        if "assign_task" not in str(request.get("tools")):
            return say("It is paid.") if "paid 5" in said else call("pay", amount=5)
        return (
            say("Paid.")
            if "It is paid" in said
            else call("assign_task", agent="general", prompt="pay")
        )

    kimi.respond_with(reply)
    async with working(tmp_path, kimi, [pay], interrupt_on={"pay": True}) as queue:
        run = await asyncio.to_thread(queue.submit, "pay 5")
        await until(lambda: queue.status(run).state == "running")
        asked = await until(lambda: queue.look(run)["asked"])
        (request,) = asked["ids"]
        with pytest.raises(ValueError, match="'perhaps' is no decision for pay; allowed"):
            await asyncio.to_thread(queue.answer, run, {request: {"type": "perhaps"}})
        await asyncio.to_thread(queue.answer, run, {request: {"type": "approve"}})
        ended = await asyncio.to_thread(queue.wait, run, seconds=20)
    assert asked["action_requests"][0]["args"] == {"amount": 5}
    assert asked["review_configs"][0]["action_name"] == "pay"
    assert ended.outcome is not None
    assert ended.outcome["result"] == "Paid."


class _Receiver(ThreadingHTTPServer):
    """Refuses the first post, takes the others."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.send_response(503 if len(self.server.bodies) == 1 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def receiver() -> Any:
    server = _Receiver()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_webhook_is_told_the_end(
    tmp_path: Path, kimi: KimiServer, receiver: _Receiver
) -> None:
    kimi.respond_with(lambda _: say("Done."))
    host = f"127.0.0.1:{receiver.server_port}"
    told: list[dict[str, Any]] = []
    options = {"private_hosts": [host], "notify": told.append}
    async with working(tmp_path, kimi, [], **options) as queue:
        allowed, refused = [
            await asyncio.to_thread(queue.submit, Task(task="x", webhook=f"http://{name}/hook"))
            for name in (host, f"localhost:{receiver.server_port}")
        ]
        first = await asyncio.to_thread(queue.wait, allowed, seconds=30)
        second = await asyncio.to_thread(queue.wait, refused, seconds=30)
    assert first.outcome is not None
    assert second.outcome is not None
    assert first.outcome["webhook"] == "told"
    assert second.outcome["webhook"] == "failed"
    assert second.outcome["status"] == "done"
    assert [body["run"] for body in receiver.bodies] == [allowed, allowed]
    assert receiver.bodies[1]["result"] == "Done."
    assert set(receiver.bodies[1]) == {"run", "status", "result", "missing", "usage"}
    assert {one["run"] for one in told} == {allowed, refused}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/hook",
        "https://10.0.0.1:8443/",
        "https://user:pass@example.org/",
        "file:///etc/passwd",
        "https://",
        "no url",
    ],
)
def test_a_webhook_that_leads_inside_is_refused(url: str) -> None:
    with pytest.raises(WebhookRefusedError, match="refused"):
        tell(url, {})


def test_a_webhook_whose_host_is_not_known_for_a_moment_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("Temporary failure in name resolution")

    monkeypatch.setattr("langchain_kimi.tools.hosts.socket.getaddrinfo", fail)
    with pytest.raises(OSError, match="could not be resolved"):
        tell("https://hooks.example.org/x", {})


def test_what_is_no_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="the task is empty"):
        Task(task=" ")
    for url in ("ftp://host/x", "no url", "", "https://", "https://[bad/x", "https://a:b@host/"):
        with pytest.raises(ValidationError, match="give an https URL"):
            Task(task="x", webhook=url)
    assert "s3cret" not in repr(Task(task="x", webhook="https://host/s3cret"))
    assert Task.kept({"task": "x", "priority": 3}) == Task(task="x")
    with pytest.raises(ValidationError, match="A budget has no moneys"):
        Task(task="x", budget={"moneys": 3})
    with pytest.raises(ValueError, match="mysql"):
        Queue("mysql://root@localhost/x")
    with pytest.raises(ValueError, match="at least one run"):
        Worker(lambda *_: None, tmp_path, concurrency=0)
    with Queue(tmp_path) as queue:
        with pytest.raises(KeyError, match="no run 'x'"):
            queue.status("x")
        with pytest.raises(ValueError, match="is no schedule"):
            queue.schedule("daily", "every day", "x")
        with pytest.raises(ValueError, match="is no schedule"):
            queue.schedule("never", "0 0 30 2 *", "x")
        with pytest.raises(ValueError, match="Mars"):
            queue.schedule("daily", "0 6 * * *", "x", timezone="Mars/Base")
        with pytest.raises(KeyError, match="no schedule 'daily'"):
            queue.unschedule("daily")
        run = queue.submit("x")
        with pytest.raises(TimeoutError, match="still queued"):
            queue.wait(run, seconds=0.1)
        with pytest.raises(ValueError, match="is queued, not at work"):
            queue.look(run)


async def test_a_run_waits_for_an_endpoint_that_is_away(
    tmp_path: Path, kimi: KimiServer, caplog: pytest.LogCaptureFixture
) -> None:
    kimi.script(*[server_error(503)] * 6, say("Back again."))
    llm = ChatKimi(base_url=kimi.base_url, api_key="x", endpoint="vllm", max_retries=0)
    agent = create_background_agent(
        llm,
        journal=tmp_path / "journal.sqlite",
        checkpointer=InMemorySaver(),
        retry=RetryPolicy(attempts=1),
    )
    told = await Runner(agent, pause=0.01).run("waits", Task(task="x"))
    assert told["result"] == "Back again."
    assert "run waits waits" in caplog.text
    kimi.script(unauthorized())
    with pytest.raises(KimiAuthenticationError):
        await Runner(agent, pause=0.01).run("fails", Task(task="x"))
    kimi.script(*[server_error(503)] * 2)
    waits = Runner(agent, pause=60)
    run = asyncio.ensure_future(waits.run("cancelled", Task(task="x")))
    async with asyncio.timeout(20):
        while await waits.control("cancelled", "cancel", None) != {"stopped": 0}:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await run)["status"] == "cancelled"
    kimi.clear()
    kimi.script(*[server_error(503)] * 9)
    with pytest.raises(KimiServerError):
        await Runner(agent, pause=0.01, patience=0.05).run("gives up", Task(task="x"))
    await llm.aclose()


async def test_a_run_that_fails_is_told_too(
    tmp_path: Path, kimi: KimiServer, receiver: _Receiver
) -> None:
    kimi.respond_with(lambda _: unauthorized())
    host = f"127.0.0.1:{receiver.server_port}"
    told: list[dict[str, Any]] = []
    options = {"private_hosts": [host], "notify": told.append}
    async with working(tmp_path, kimi, [], **options) as queue:
        task = Task(task="x", webhook=f"http://{host}/hook")
        run = await asyncio.to_thread(queue.submit, task)
        ended = await asyncio.to_thread(queue.wait, run, seconds=30)
        with pytest.raises(ValueError, match="no decisions were given"):
            queue.answer(run, {})
    assert ended.state == "failed"
    assert "KimiAuthenticationError" in str(ended.error)
    assert receiver.bodies[-1]["status"] == "failed"
    assert [one["run"] for one in told] == [run]
