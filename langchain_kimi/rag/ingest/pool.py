"""Worker processes that outlive crashing, hanging and greedy parsers."""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from langchain_kimi.rag.ingest.files import SourceFile
from langchain_kimi.rag.ingest.parse import ParseSettings
from langchain_kimi.rag.ingest.parsed import Parsed
from langchain_kimi.rag.ingest.worker import parse_or_reason, receive, send

MEMORY = 4 * 1024**3
TIMEOUT = 1_800.0
Outcome = tuple[SourceFile, Parsed | str]


def parse_all(
    files: Sequence[SourceFile],
    settings: ParseSettings,
    *,
    workers: int,
    timeout: float = TIMEOUT,
) -> Iterator[Outcome]:
    """Yield each file with what was parsed, or the reason why not, as they get ready.

    Args:
        files: The files to parse.
        settings: How to parse them.
        workers: Processes; 0 parses in this one, without protection from crashes.
        timeout: Seconds a file may take in a worker.
    """
    if workers == 0:
        for file in files:
            yield file, parse_or_reason(file.absolute, settings)
        return
    jobs: queue.SimpleQueue[SourceFile | None] = queue.SimpleQueue()
    results: queue.Queue[Outcome] = queue.Queue(maxsize=workers)
    for file in files:
        jobs.put(file)
    count = min(workers, len(files))
    stop = threading.Event()
    threads = [
        threading.Thread(target=_serve, args=(jobs, results, settings, timeout, stop), daemon=True)
        for _ in range(count)
    ]
    for thread in threads:
        jobs.put(None)
        thread.start()
    try:
        for _ in files:
            yield results.get()
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            _drain(results)
            for thread in threads:
                thread.join(timeout=0.05)


def _drain(results: queue.Queue[Outcome]) -> None:
    while not results.empty():
        results.get_nowait()


def _serve(
    jobs: queue.SimpleQueue[SourceFile | None],
    results: queue.Queue[Outcome],
    settings: ParseSettings,
    timeout: float,
    stop: threading.Event,
) -> None:
    worker = Worker(timeout)
    try:
        while (file := jobs.get()) is not None and not stop.is_set():
            results.put((file, worker.parse(file.absolute, settings)))
    finally:
        worker.end()


class Worker:
    """One process, started on the first job and again after it was lost."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, path: Path, settings: ParseSettings) -> Parsed | str:
        """Parse a file, or say what is wrong with it."""
        process = self._process or self._start()
        if process is None:
            return f"{path.name} was not parsed: the worker did not start"
        late = threading.Event()

        def kill() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._timeout, kill)
        timer.start()
        try:
            send(_pipe(process.stdin), (path, settings))
            outcome: Parsed | str = receive(_pipe(process.stdout))
        except (EOFError, OSError):
            self.end()
            if late.is_set():
                return f"{path.name} took longer than {self._timeout:.0f} s"
            return f"{path.name} crashed its parser (exit code {process.returncode})"
        else:
            return outcome
        finally:
            timer.cancel()

    def _start(self) -> subprocess.Popen[bytes] | None:
        command = [sys.executable, "-m", "langchain_kimi.rag.ingest.worker", str(MEMORY)]
        self._process = subprocess.Popen(  # noqa: S603 no shell, our own interpreter
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        try:
            receive(_pipe(self._process.stdout))
        except EOFError:
            self.end()
        return self._process

    def end(self) -> None:
        """End the process."""
        if self._process is None:
            return
        process, self._process = self._process, None
        try:
            _pipe(process.stdin).close()
        except OSError:
            process.kill()
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        msg = "the worker was started without pipes"
        raise RuntimeError(msg)
    return stream
