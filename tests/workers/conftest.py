"""Workers in processes of their own, and a model that fans out once and marks a word."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from langchain_kimi.testing import KimiServer, call, say, slow_first_token
from langchain_kimi.workers import place
from tests.swarm.conftest import postgres_server  # noqa: F401  a fixture

SCRIPT = Path(__file__).with_name("worker_process.py")


@dataclass
class Crew:
    """Starts workers; each is ended with the test."""

    where: str
    base_url: str
    log: Path

    def __post_init__(self) -> None:
        self.started: list[subprocess.Popen[str]] = []

    def hire(self, concurrency: int = 3, grace: float = 20) -> subprocess.Popen[str]:
        command = [sys.executable, str(SCRIPT), self.where, self.base_url, str(self.log)]
        worker = subprocess.Popen(
            [*command, str(concurrency), str(grace)], stdout=subprocess.PIPE, text=True
        )
        self.started.append(worker)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    def lines(self, word: str) -> list[str]:
        """Return what was logged under a word."""
        said = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.partition(" ")[2] for line in said if line.startswith(f"{word} ")]

    def dismiss(self) -> None:
        for worker in self.started:
            if worker.poll() is None:
                worker.send_signal(signal.SIGKILL)
            worker.wait(10)
            if worker.stdout is not None:
                worker.stdout.close()


class Model:
    """Assigns the task's word to one sub-agent, which marks it and is done. Replies take time."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.calls: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, request: dict[str, Any]) -> Any:
        said = str(request["messages"])
        word = re.search(r"word-\d+", said)
        assert word is not None
        with self._lock:
            self.calls.append(word[0])
        return [slow_first_token(self.seconds), self._part(request, said, word[0])]

    def _part(self, request: dict[str, Any], said: str, word: str) -> Any:
        if "marked" in said:
            return say(f"{word} is marked.")
        if "assign_task" in str(request.get("tools")):
            return call("assign_task", agent="general", prompt=f"mark {word}")
        return call("mark", word=word)


def until(true: Callable[[], Any], seconds: float = 40.0) -> Any:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        if time.monotonic() > deadline:
            pytest.fail("it did not happen in time")
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def _sqlite(request: pytest.FixtureRequest) -> None:
    """Skip what keeps its queue in a folder where this Python's SQLite is too old for DBOS."""
    if sqlite3.sqlite_version_info < place._SQLITE and "database" not in request.fixturenames:
        pytest.skip(f"DBOS does not work with SQLite {sqlite3.sqlite_version} on this Python")


@pytest.fixture
def kimi() -> Iterator[KimiServer]:
    with KimiServer("vllm", api_key="x") as server:
        yield server


@pytest.fixture
def database(postgres_server: Any, request: pytest.FixtureRequest) -> str:  # noqa: F811
    """Return the URL of a database of the test's own."""
    name = re.sub(r"\W", "_", request.node.name).lower()[:60]
    postgres_server.execute(f'CREATE DATABASE "{name}"')
    return str(postgres_server.server).replace("/postgres?", f"/{name}?")


@pytest.fixture
def crew_of(kimi: KimiServer, tmp_path: Path) -> Iterator[Callable[[str], Crew]]:
    crews: list[Crew] = []

    def make(where: str) -> Crew:
        crews.append(Crew(where, kimi.base_url, tmp_path / "log"))
        return crews[-1]

    yield make
    for crew in crews:
        crew.dismiss()
