"""What `deploy/compose.yaml` starts, as processes: the same commands and settings."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROGRAMS = ROOT / ".venv/aegra/bin"
"""Where `python scripts/setup.py aegra` installs the servers, on a Python that Aegra supports."""
COMPOSE = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
BOOT_SECONDS = 90
_VARIABLE = re.compile(r"\$\{(\w+):([-?])([^}]*)\}")
_SHORT = {  # so that a test need not wait for the leases of production
    "HEARTBEAT_INTERVAL_SECONDS": "1",
    "LEASE_DURATION_SECONDS": "4",
    "REAPER_INTERVAL_SECONDS": "1",
    "STUCK_PENDING_THRESHOLD_SECONDS": "10",
}


@dataclass
class Server:
    """A server that is up."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@dataclass
class SelfHosted:
    """A deployment in a folder, on a PostgreSQL and a Redis."""

    folder: Path
    database: str
    redis: str
    more: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.metrics_port = taken.getsockname()[1]

    def environment(self, service: str) -> dict[str, str]:
        """Return a service's variables, with the addresses of this machine in them."""
        here = {
            "DATABASE_URL": self.database,
            "KIMI_JOURNAL": self.database,
            "KIMI_QUEUE": self.database,
            "REDIS_URL": self.redis,
            "KIMI_METRICS_PORT": str(self.metrics_port),
            "KIMI_MILVUS_URI": "",  # a cluster is not at hand
            "KIMI_AUTH_KEYS": str(self.folder / "keys.json"),
            "HOME": str(self.folder),
            "LANGSMITH_TRACING": "false",
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        }
        asked = {n: _filled(str(v)) for n, v in COMPOSE["services"][service]["environment"].items()}
        return {**asked, **_SHORT, **here, **self.more}

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Run the compose file's `server` on a free port."""
        command = [*COMPOSE["services"]["server"]["command"]]
        command[command.index("0.0.0.0")] = "127.0.0.1"
        command[command.index("8000")] = "0"
        log = self.folder / f"log-{time.monotonic_ns()}"
        with self._running(command, "server", log) as process:
            yield Server(_url(log, process), process, log)

    @contextmanager
    def worker(self) -> Iterator[str]:
        """Run the compose file's `worker`; yield the URL of its figures, which come with it."""
        command = COMPOSE["services"]["worker"]["command"]
        log = self.folder / f"log-{time.monotonic_ns()}"
        with self._running(command, "worker", log):
            yield f"http://127.0.0.1:{self.metrics_port}/metrics"

    @contextmanager
    def _running(
        self, command: list[str], service: str, log: Path
    ) -> Iterator[subprocess.Popen[bytes]]:
        program = str(PROGRAMS / command[0])
        with log.open("w") as output:
            process = subprocess.Popen(
                [program, *command[1:]],
                cwd=self.folder,
                env=self.environment(service),
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait(20)


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """Run the compose file's `redis` on a socket in a folder; yield its URL."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    place = folder / "redis"
    given = ["--port", "0", "--unixsocket", str(place), "--dir", str(folder)]
    process = subprocess.Popen(
        [program, *COMPOSE["services"]["redis"]["command"][1:], *given],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while not place.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield f"unix://{place}"
    finally:
        process.terminate()
        process.wait(20)


def needs_aegra() -> None:
    """Skip where Aegra is not installed."""
    if not (PROGRAMS / "uvicorn").exists():
        pytest.skip("Aegra is not in .venv/aegra: `python scripts/setup.py aegra` installs it")


def _filled(value: str) -> str:
    """Put in what Compose would: a variable's default, or a name for what must be set."""
    return _VARIABLE.sub(lambda found: found[3] if found[2] == "-" else found[1].lower(), value)


def _url(log: Path, server: subprocess.Popen[Any]) -> str:
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if found := re.search(r"running on (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()[-5000:]}")
