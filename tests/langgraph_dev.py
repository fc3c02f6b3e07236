"""A real `langgraph dev` for tests, with nothing of this process's environment but the PATH."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BOOT_SECONDS = 90


@contextmanager
def langgraph_dev(folder: Path, **environment: str) -> Iterator[str]:
    """Run the server in a folder; yield its URL."""
    with langgraph_dev_process(folder, **environment) as (url, _):
        yield url


@contextmanager
def langgraph_dev_process(
    folder: Path, **environment: str
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the server in a folder; yield its URL and its process."""
    command = [
        str(Path(sys.executable).with_name("langgraph")), "dev", "--host", "127.0.0.1",
        "--port", str(_free_port()), "--no-browser", "--no-reload", "--n-jobs-per-worker", "5",
    ]  # fmt: skip
    base = {
        "HOME": str(folder),
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
        "LANGGRAPH_NO_VERSION_CHECK": "true",
        "LANGSMITH_TRACING": "false",
        "NO_COLOR": "1",
        "PATH": os.environ["PATH"],
    }
    with (folder / "log").open("w+") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=base | environment,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            yield _url(folder / "log", server), server
        finally:
            server.terminate()
            server.wait(20)


def _free_port() -> int:
    """Return a port that nobody has: two servers with one port are taken for each other."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _url(log: Path, server: subprocess.Popen[bytes]) -> str:
    """Return the URL from the log: the server takes another port when its own was taken."""
    deadline = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        text = log.read_text()
        url = re.search(r"API: \S*?(http://127\.0\.0\.1:\d+)", text)
        if url and "Application started up" in text:
            return url.group(1)
        time.sleep(0.2)
    pytest.fail(f"langgraph dev did not start:\n{log.read_text()}")
