"""What LangGraph's development server costs, against the same graph in process.

    python benchmarks/server.py           50 jobs
    python benchmarks/server.py --quick   the same with 20

The graph is one node that answers at once, so what is measured is the server's own: it looks for
work twice a second while it is idle, which is most of a lone run. Runs lost on a kill: a batch is
begun, the server gets SIGKILL after it has written its state (every ten seconds), and a second
server on the same folder is asked for them; what was begun later than that would be lost. The last
line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _harness import print_result, print_table
from langgraph_sdk import get_client

WRITTEN = 12.0
"""Seconds in which the development server has written its state: it does so every ten."""

GRAPH = """
import asyncio

from langgraph.graph import END, START, MessagesState, StateGraph


async def answer(state: MessagesState) -> dict:
    if state["messages"][-1].content == "rest":
        await asyncio.sleep(30)
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


@contextmanager
def server(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """Run `langgraph dev` in a folder; yield it, its URL, and the seconds until it was up."""
    command = [
        str(Path(sys.executable).with_name("langgraph")), "dev", "--host", "127.0.0.1",
        "--port", "18670", "--no-browser", "--no-reload", "--n-jobs-per-worker", "50",
    ]  # fmt: skip
    environment = {
        "HOME": str(folder),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "LANGSMITH_TRACING": "false",
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    started = time.monotonic()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield process, *_up(folder / "log", process, started)
        finally:
            process.kill()
            process.wait()


def _up(log: Path, process: subprocess.Popen[bytes], started: float) -> tuple[str, float]:
    while process.poll() is None and time.monotonic() - started < 120:
        text = log.read_text()
        url = re.search(r"API: \S*?(http://127\.0\.0\.1:\d+)", text)
        if url and "Application started up" in text:
            return url.group(1), time.monotonic() - started
        time.sleep(0.05)
    msg = f"langgraph dev did not start:\n{log.read_text()}"
    raise RuntimeError(msg)


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
    async with get_client(url=url) as client:
        await client.runs.wait(None, "bench", input=SAY)
        alone, first = [], []
        for _ in range(runs):
            start = time.perf_counter()
            await client.runs.wait(None, "bench", input=SAY)
            alone.append(time.perf_counter() - start)
            start = time.perf_counter()
            stream = client.runs.stream(None, "bench", input=SAY, stream_mode="values")
            await anext(stream)
            first.append(time.perf_counter() - start)
            _ = [part async for part in stream]
        start = time.perf_counter()
        await asyncio.gather(*(client.runs.wait(None, "bench", input=SAY) for _ in range(jobs)))
        return {
            "run_ms": statistics.median(alone) * 1e3,
            "stream_first_event_ms": statistics.median(first) * 1e3,
            "runs_per_s": jobs / (time.perf_counter() - start),
        }


async def begun(url: str, jobs: int) -> list[tuple[str, str]]:
    """Begin runs that are still at work when the server dies, after it has written them down."""
    async with get_client(url=url) as client:
        made = []
        for _ in range(jobs):
            thread = (await client.threads.create())["thread_id"]
            run = await client.runs.create(thread, "bench", input=REST)
            made.append((thread, run["run_id"]))
        await asyncio.sleep(WRITTEN)
        return made


async def lost(url: str, made: list[tuple[str, str]]) -> int:
    """Return how many runs did not come to their end on the second server."""
    async with get_client(url=url) as client:
        await asyncio.gather(
            *(client.runs.join(thread, run) for thread, run in made), return_exceptions=True
        )
        found = await asyncio.gather(
            *(client.runs.get(thread, run) for thread, run in made), return_exceptions=True
        )
    return sum(isinstance(run, BaseException) or run["status"] != "success" for run in found)


def main(*, quick: bool) -> dict[str, float]:
    """Measure everything; return the figures."""
    jobs, rounds = (20, 10) if quick else (50, 30)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "graph.py").write_text(GRAPH)
        configuration = {"dependencies": ["."], "graphs": {"bench": "./graph.py:graph"}}
        (folder / "langgraph.json").write_text(json.dumps(configuration))
        with server(folder) as (process, url, boot):
            alone = asyncio.run(in_process(folder, rounds))
            found = asyncio.run(served(url, rounds, jobs))
            made = asyncio.run(begun(url, jobs))
            process.send_signal(signal.SIGKILL)
            process.wait()
        with server(folder) as (_, url, _boot):
            missing = asyncio.run(lost(url, made))
    rows = {"in process": alone, "server": found["run_ms"]}
    print_table("one run after the other", "ms", rows, "in process")
    return {
        "boot_s": boot,
        "overhead_per_run_ms": found["run_ms"] - alone,
        f"runs_per_s_{jobs}_jobs": found["runs_per_s"],
        "stream_first_event_ms": found["stream_first_event_ms"],
        "lost_runs_on_kill": missing,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer jobs")
    print_result(main(quick=parser.parse_args().quick))
