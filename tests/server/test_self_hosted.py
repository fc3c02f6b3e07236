"""The servers of deploy/compose.yaml on one PostgreSQL: one is killed, callers are kept apart."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_kimi.testing import KimiServer, call, say, slow_first_token
from langchain_kimi.workers import Queue
from tests.self_hosted import COMPOSE, PROGRAMS
from tests.server.conftest import KEYS, client_of

if TYPE_CHECKING:
    from tests.self_hosted import SelfHosted, Server

pytestmark = pytest.mark.timeout(180)
ENDED = {"success", "error", "interrupted", "timeout"}


class Model:
    """Reads a file twice and answers; leads three sub-agents where it leads. Replies take time."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, request: dict[str, Any]) -> Any:
        messages = request["messages"]
        asked = next(message["content"] for message in messages if message["role"] == "user")
        word = re.findall(r"word-\d+(?:-[abc])?", str(asked))[0]
        acts = sum(message["role"] == "assistant" for message in messages)
        leads = messages[0]["content"].startswith("You lead a swarm")
        with self._lock:
            self.calls["leads " * leads + word] += 1
        return [slow_first_token(0.4), self._part(word, acts, leads=leads)]

    def _part(self, word: str, acts: int, *, leads: bool) -> Any:
        if leads and acts == 0:
            items = [f"{word}-{letter}" for letter in "abc"]
            return call("agent_swarm", description="d", prompt_template="{{item}}", items=items)
        if not leads and acts < 2:
            return call("read_file", path="pyproject.toml", first_line=acts + 1, line_count=1)
        return say(f"{word} is done.")


def held_by(server: Server, deployment: SelfHosted) -> set[str]:
    """Return the runs that a server has at work, by PostgreSQL."""
    import psycopg

    with psycopg.connect(deployment.database) as connection:
        rows = connection.execute("SELECT run_id, claimed_by FROM runs WHERE status = 'running'")
        return {run for run, worker in rows if f"-{server.process.pid}-" in str(worker)}


async def begun(client: Any, kimi: KimiServer, word: str, graph: str) -> tuple[str, str]:
    thread = (await client.threads.create())["thread_id"]
    run = await client.runs.create(
        thread,
        graph,
        input={"messages": [{"role": "user", "content": word}]},
        context={"base_url": kimi.base_url},
    )
    return thread, run["run_id"]


async def statuses(client: Any, runs: dict[str, tuple[str, str]]) -> dict[str, str]:
    found = await asyncio.gather(*(client.runs.get(*ids) for ids in runs.values()))
    return dict(zip(runs, (run["status"] for run in found), strict=True))


@asynccontextmanager
async def balanced(*urls: str) -> AsyncIterator[str]:
    """Pass each connection on to the first server that takes it, as a load balancer would."""
    ports = [int(url.rpartition(":")[2]) for url in urls]

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for port in ports:
            with contextlib.suppress(OSError):
                up, down = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_pour(reader, down), _pour(up, writer))
                return
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # the other side is gone
        while data := await source.read(65_536):
            sink.write(data)
            await sink.drain()
    sink.close()


async def _events(client: Any, thread: str, run: str) -> list[Any]:
    return [part async for part in client.runs.join_stream(thread, run)]


async def until(true: Any, seconds: float = 60.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await true()):  # noqa: ASYNC110 - a database has no event for it
            await asyncio.sleep(0.1)
    return found


async def test_a_server_that_is_killed_under_load_loses_no_run(
    deployment: SelfHosted, first: Server, kimi: KimiServer
) -> None:
    model = Model()
    kimi.clear()
    kimi.respond_with(model)
    graphs = {f"word-{n}": "background" if n % 4 == 3 else "tool_use" for n in range(16)}
    with deployment.server() as second:
        async with (
            balanced(second.url, first.url) as either,
            client_of(first.url, KEYS["alice"]) as one,
            client_of(either, KEYS["alice"]) as other,
        ):
            made = await asyncio.gather(
                *(
                    begun((one, other)[n % 2], kimi, word, graph)
                    for n, (word, graph) in enumerate(graphs.items())
                )
            )
            runs = dict(zip(graphs, made, strict=True))
            watched = runs["word-15"]  # the last one, with sub-agents
            watching = asyncio.create_task(_events(other, *watched))

            async def is_in_the_middle() -> set[str]:
                return held_by(second, deployment) if model.calls.total() > 24 else set()

            held = await until(is_in_the_middle)
            second.process.kill()
            second.process.wait(20)
            seen = await watching
            late = await begun(other, kimi, "word-99", "tool_use")

            async def have_ended() -> bool:
                return set((await statuses(one, runs)).values()) <= ENDED

            await until(have_ended)
            told = await statuses(one, runs)
            states = {word: (await one.threads.get_state(t)) for word, (t, _) in runs.items()}
            await one.runs.join(*late)
    assert set(told.values()) == {"success"}, told
    assert "error" not in {part.event for part in seen}, "the stream went on with the other server"
    assert seen[-1].data == {"status": "success"}
    for word, state in states.items():
        kinds = [message["type"] for message in state["values"]["messages"]]
        assert state["values"]["messages"][-1]["content"] == f"{word} is done."
        middle = ["ai", "tool"] * (1 if graphs[word] == "background" else 2)
        assert kinds == ["human", *middle, "ai"], f"{word}: nothing stands there twice"
    was_held = {word for word, (_, run) in runs.items() if run in held}
    _check_calls(model.calls, graphs, was_held)


def _check_calls(calls: Counter[str], graphs: dict[str, str], held: set[str]) -> None:
    """Of a killed server's runs at most what was in flight was asked for again."""
    for word, graph in graphs.items():
        again = 1 if word in held else 0
        if graph == "tool_use":
            assert 3 <= calls[word] <= 3 + again, word
        else:
            assert 2 <= calls[f"leads {word}"] <= 2 + again, word
            for letter in "abc":
                assert 3 <= calls[f"{word}-{letter}"] <= 3 + again, (word, letter)


async def test_health_and_figures(first: Server) -> None:
    async with httpx.AsyncClient(base_url=first.url) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        assert (await client.get("/ready")).status_code == 200
        told = (await client.get("/metrics")).text
        assert "kimi_requests_total" in told
        assert (await client.post("/threads/search", json={})).status_code == 401


def test_the_health_check_of_the_compose_file(first: Server, deployment: SelfHosted) -> None:
    _, program, *arguments = COMPOSE["services"]["server"]["healthcheck"]["test"]
    port = first.url.rpartition(":")[2]
    command = [str(PROGRAMS / program), *(one.replace("8000", port) for one in arguments)]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0


async def test_what_waits_for_a_worker_is_shown(first: Server, deployment: SelfHosted) -> None:
    async def shown() -> dict[str, float]:
        async with httpx.AsyncClient(base_url=first.url) as client:
            told = (await client.get("/metrics")).text
        lines = [line.rpartition(" ") for line in told.splitlines()]
        return {name: float(value) for name, _, value in lines if name.startswith("kimi_queue")}

    with Queue(deployment.database) as queue:
        runs = [queue.submit(f"task {n}") for n in range(2)]

        async def counted() -> bool:
            return (await shown()).get('kimi_queue_waiting{queue="workers"}') == len(runs)

        await until(counted)
        found = await shown()
        for run in runs:
            queue.cancel(run)
    assert found['kimi_queue_oldest_seconds{queue="workers"}'] > 0
    assert found['kimi_queue_waiting{queue="servers"}'] == 0


def test_a_worker_takes_tasks_from_the_same_database(deployment: SelfHosted) -> None:
    with deployment.worker() as url, Queue(deployment.database) as queue:
        ended = queue.wait(queue.submit("Say what each file in graphs/ does."), seconds=60)
        told = httpx.get(url).text
    assert ended.outcome is not None
    assert ended.outcome["status"] == "done"
    assert "Stand-in (no model)" in ended.outcome["result"]
    assert float(re.findall(r"^kimi_subagents_total (\S+)", told, re.MULTILINE)[0]) >= 3
    assert re.search(r'^kimi_requests_total\{.*outcome="ok"\}', told, re.MULTILINE)
