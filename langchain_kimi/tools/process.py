"""Running a command once under one of langchain's execution policies."""

import codecs
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from uuid import uuid4

from langchain.agents.middleware import (
    CodexSandboxExecutionPolicy,
    DockerExecutionPolicy,
    HostExecutionPolicy,
)

from langchain_kimi.tools.keys import without_keys

ExecutionPolicy = HostExecutionPolicy | DockerExecutionPolicy | CodexSandboxExecutionPolicy

MAX_OUTPUT_CHARACTERS = 20_000
_DRAIN_SECONDS = 1.0
_MARK = "LANGCHAIN_KIMI_RUN"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command wrote and how it ended; `exit_code` is None when its time was up."""

    output: str
    exit_code: int | None


def bare_environment(home: Path) -> dict[str, str]:
    """Return the variables that commands get: no key of the caller's environment is among them."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": os.environ.get("PATH", os.defpath),
    }


def run(
    policy: ExecutionPolicy,
    command: Sequence[str],
    *,
    workspace: Path,
    environment: Mapping[str, str],
    stdin: str,
) -> Outcome:
    """Run a command to its end or to the policy's `command_timeout`, with bounded output.

    Keys of the caller's environment are masked in what it wrote.

    Children that it leaves behind end with it; on Linux also those that left its process group,
    which are known by a variable that they inherit.
    """
    mark = uuid4().hex
    process = policy.spawn(workspace=workspace, env={**environment, _MARK: mark}, command=command)
    group = os.getpgid(process.pid)
    output = _Output(process)
    try:
        output.feed(stdin)
        exit_code: int | None = process.wait(timeout=policy.command_timeout)
    except subprocess.TimeoutExpired:
        exit_code = None
    finally:
        _end(process, group)
        _end_marked(f"{_MARK}={mark}".encode())
    return Outcome(output=output.text(), exit_code=exit_code)


class _Output:
    """Reads both pipes in threads; keeps the first characters and drops the rest."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._kept: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._dropped = 0
        self._threads: list[threading.Thread] = []
        self._start(self._read, process.stdout, "stdout")
        self._start(self._read, process.stderr, "stderr")

    def feed(self, text: str) -> None:
        """Write the input in a thread, as a command may never read it."""
        self._start(self._write, self._process.stdin, text)

    def text(self) -> str:
        """Return what was written; a child that left the group may hold a pipe open for long."""
        for thread in self._threads:
            thread.join(_DRAIN_SECONDS)
        written, errors = (
            without_keys("".join(self._kept[name])).rstrip() for name in ("stdout", "stderr")
        )
        parts = [written, f"[stderr]\n{errors}" if errors else ""]
        if self._dropped:
            parts.append(f"[cut: {self._dropped:,} more characters of output]")
        return "\n".join(part for part in parts if part) or "[no output]"

    def _start(
        self, work: Callable[[IO[str] | None, str], None], stream: IO[str] | None, text: str
    ) -> None:
        thread = threading.Thread(target=work, args=(stream, text), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _write(self, stream: IO[str] | None, text: str) -> None:
        if stream is None:
            return
        try:
            stream.write(text)
            stream.close()
        except OSError:
            return  # the command ended without reading its input, which is its right

    def _read(self, stream: IO[str] | None, name: str) -> None:
        if stream is None:
            return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        kept = 0
        with stream:
            while piece := os.read(stream.fileno(), 8_192):
                text = decoder.decode(piece)
                room = MAX_OUTPUT_CHARACTERS - kept
                self._kept[name].append(text[:room])
                self._dropped += max(0, len(text) - room)
                kept += len(text[:room])


def _end(process: "subprocess.Popen[str]", group: int) -> None:
    """Kill what still runs: the command, and its children when it has a group of its own."""
    if group != os.getpgrp():
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def _end_marked(mark: bytes) -> None:
    """Kill processes that inherited a variable, where `/proc` shows the environments."""
    for found in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark in found.read_bytes().split(b"\0"):
                os.kill(int(found.parent.name), signal.SIGKILL)
