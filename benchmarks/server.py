"""What a run costs on the two servers, against the same graph in process; what a kill loses.

    python benchmarks/server.py           50 jobs
    python benchmarks/server.py --quick   the same with 20

Needs Debian's PostgreSQL, redis-server, and Aegra (`python scripts/setup.py aegra`). The graph is
one node that answers at once, so what is measured is the servers' own. A run is streamed to its
end, as chat clients do; `wait` is the call that gives the last state alone. Runs lost on a kill:
two servers of Aegra on one PostgreSQL, runs of some seconds begun on both, one gets SIGKILL while
it has runs at work; what does not end well on the other one is lost. Leases are of 4 seconds here,
so that the benchmark need not wait for the 30 of production. The last line is JSON: the figures of
Aegra, and those of LangGraph's development server as `langgraph_dev_…`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _harness import print_result, print_table
from langgraph_sdk import get_client
from workers import postgres

AEGRA = Path(sys.prefix, "aegra/bin")
ENDED = {"success", "error", "interrupted", "timeout"}
LEASES = {
    "HEARTBEAT_INTERVAL_SECONDS": "1",
    "LEASE_DURATION_SECONDS": "4",
    "REAPER_INTERVAL_SECONDS": "1",
    "STUCK_PENDING_THRESHOLD_SECONDS": "10",
}
GRAPH = """
import asyncio

from langgraph.graph import END, START, MessagesState, StateGraph


async def answer(state: MessagesState) -> dict:
    if state["messages"][-1].content == "rest":
        await asyncio.sleep(5)
    return {"messages": [{"role": "ai", "content": "done"}]}


graph = (
    StateGraph(MessagesState)
    .add_node("answer", answer)
    .add_edge(START, "answer")
    .add_edge("answer", END)
    .compile()
)
"""
SAY: dict[str, Any] = {"messages": [{"role": "user", "content": "hello"}]}
REST: dict[str, Any] = {"messages": [{"role": "user", "content": "rest"}]}


class Server:
    """A server that is up: its process, its URL, and the seconds that it took."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, up: str) -> None:
        started = time.monotonic()
        while process.poll() is None and time.monotonic() - started < 120:
            if found := re.search(up, log.read_text(), re.DOTALL):
                self.process, self.url = process, found[1]
                self.boot = time.monotonic() - started
                return
            time.sleep(0.02)
        msg = f"the server did not start:\n{log.read_text()}"
        raise RuntimeError(msg)


@contextmanager
def running(folder: Path, command: list[str], up: str, more: Mapping[str, str]) -> Iterator[Server]:
    """Run a server in a folder until the end."""
    environment = {
        "HOME": str(folder),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "LANGSMITH_TRACING": "false",
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    path = folder / f"log-{time.monotonic_ns()}"
    with path.open("w") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**environment, **more}, stdout=log, stderr=log
        )
        try:
            yield Server(process, path, up)
        finally:
            process.kill()
            process.wait()


@contextmanager
def langgraph_dev(folder: Path) -> Iterator[Server]:
    """Run LangGraph's development server."""
    command = [
        str(Path(sys.executable).with_name("langgraph")), "dev", "--host", "127.0.0.1",
        "--port", "18670", "--no-browser", "--no-reload", "--n-jobs-per-worker", "50",
    ]  # fmt: skip
    up = r"API: \S*?(http://127\.0\.0\.1:\d+).*Application started up"
    with running(folder, command, up, {}) as server:
        yield server


@contextmanager
def aegra(folder: Path, database: str, redis: str) -> Iterator[Server]:
    """Run a server as in deploy/compose.yaml; a warm database has its tables already."""
    command = [str(AEGRA / "uvicorn"), "aegra_api.main:app", "--host", "127.0.0.1", "--port", "0"]
    more = {
        "AEGRA_CHECKPOINT_DURABILITY": "sync",
        "AEGRA_CONFIG": "langgraph.json",
        "DATABASE_URL": database,
        "ENV_MODE": "PRODUCTION",
        "N_JOBS_PER_WORKER": "20",
        "REDIS_BROKER_ENABLED": "true",
        "REDIS_URL": redis,
        **LEASES,
    }
    with running(folder, command, r"running on (http://127\.0\.0\.1:\d+)", more) as server:
        yield server


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run Redis on a socket in a folder; yield its URL."""
    socket = folder / "redis"
    command = ["redis-server", "--port", "0", "--save", "", "--unixsocket", str(socket)]
    process = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait()


async def in_process(folder: Path, runs: int) -> float:
    """Return the milliseconds of a run of the same graph in this process."""
    found: dict[str, Any] = {}
    exec((folder / "graph.py").read_text(), found)
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        await found["graph"].ainvoke(SAY)
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1e3


async def served(url: str, runs: int, jobs: int) -> dict[str, float]:
    """Return what runs cost one after the other, all at once, and until the first event."""
    async with get_client(url=url, api_key=None) as client:

        async def streamed() -> tuple[float, float]:
            start = time.perf_counter()
            stream = client.runs.stream(None, "bench", input=SAY, stream_mode="values")
            await anext(stream)
            first = time.perf_counter() - start
            _ = [part async for part in stream]
            return first, time.perf_counter() - start

        async def waited() -> float:
            start = time.perf_counter()
            await client.runs.wait(None, "bench", input=SAY)
            return time.perf_counter() - start

        await streamed()
        alone = [await streamed() for _ in range(runs)]
        waits = [await waited() for _ in range(max(3, runs // 5))]
        start = time.perf_counter()
        await asyncio.gather(*(streamed() for _ in range(jobs)))
        return {
            "run_ms": statistics.median(end for _, end in alone) * 1e3,
            "wait_ms": statistics.median(waits) * 1e3,
            "stream_first_event_ms": statistics.median(first for first, _ in alone) * 1e3,
            "runs_per_s": jobs / (time.perf_counter() - start),
        }


async def lost(servers: tuple[Server, Server], database: str, jobs: int) -> tuple[int, int]:
    """Kill the second server under load; return how many runs it had, and how many are lost."""
    first, second = servers
    async with (
        get_client(url=first.url, api_key=None) as one,
        get_client(url=second.url, api_key=None) as other,
    ):
        made = [await _begun((one, other)[n % 2]) for n in range(jobs)]
        while not (had := _at_work(database, second)):  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.1)
        second.process.kill()
        second.process.wait()
        deadline = time.monotonic() + 120
        while True:
            found = await asyncio.gather(*(one.runs.get(*ids) for ids in made))
            if {run["status"] for run in found} <= ENDED or time.monotonic() > deadline:
                return had, sum(run["status"] != "success" for run in found)
            await asyncio.sleep(0.2)


async def _begun(client: Any) -> tuple[str, str]:
    thread = (await client.threads.create())["thread_id"]
    return thread, (await client.runs.create(thread, "bench", input=REST))["run_id"]


def _at_work(database: str, server: Server) -> int:
    import psycopg

    with psycopg.connect(database) as connection:
        rows = connection.execute("SELECT claimed_by FROM runs WHERE status = 'running'")
        return sum(f"-{server.process.pid}-" in str(worker) for (worker,) in rows)


def figures(server: Server, alone: float, rounds: int, jobs: int) -> dict[str, float]:
    """Return the figures of a server."""
    found = asyncio.run(served(server.url, rounds, jobs))
    return {
        "boot_s": server.boot,
        "overhead_per_run_ms": found["run_ms"] - alone,
        "overhead_per_wait_ms": found["wait_ms"] - alone,
        f"runs_per_s_{jobs}_jobs": found["runs_per_s"],
        "stream_first_event_ms": found["stream_first_event_ms"],
    }


def main(*, quick: bool) -> dict[str, float]:
    """Measure everything; return the figures."""
    jobs, rounds = (20, 10) if quick else (50, 30)
    with (
        tempfile.TemporaryDirectory() as name,
        postgres() as database,
        redis_server(Path(name)) as to,
    ):
        folder, url = Path(name), database.format("postgres")
        (folder / "graph.py").write_text(GRAPH)
        configuration = {"dependencies": ["."], "graphs": {"bench": "./graph.py:graph"}}
        (folder / "langgraph.json").write_text(json.dumps(configuration))
        alone = asyncio.run(in_process(folder, rounds))
        with langgraph_dev(folder) as development:
            theirs = figures(development, alone, rounds, jobs)
        with aegra(folder, url, to):
            pass  # makes the tables, once for all
        with aegra(folder, url, to) as first:
            found = figures(first, alone, rounds, jobs)
            with aegra(folder, url, to) as second:
                had, missing = asyncio.run(lost((first, second), url, jobs))
    rows = {
        "in process": alone,
        "Aegra, PostgreSQL: streamed": found["overhead_per_run_ms"] + alone,
        "Aegra, PostgreSQL: wait": found["overhead_per_wait_ms"] + alone,
        "langgraph dev: streamed": theirs["overhead_per_run_ms"] + alone,
        "langgraph dev: wait": theirs["overhead_per_wait_ms"] + alone,
    }
    print_table("one run after the other", "ms", rows, "in process")
    print(f"killed: a server of Aegra with {had} of {jobs} runs at work; lost: {missing}")
    others = {f"langgraph_dev_{name}": figure for name, figure in theirs.items()}
    return {**found, "lost_runs_on_kill": missing, **others}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs")
    print_result(main(quick=parser.parse_args().quick))
