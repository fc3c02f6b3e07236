"""Files parsed on many machines, by Ray."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from langchain_kimi.rag.errors import UnsupportedFileError
from langchain_kimi.rag.ingest.files import SourceFile
from langchain_kimi.rag.ingest.parse import ParseSettings
from langchain_kimi.rag.ingest.parsed import Parsed
from langchain_kimi.rag.ingest.pool import Outcome, Worker

_TRIES = 2


class RayWorker:
    """An actor: it keeps one process that parses, which may crash without taking it along."""

    def __init__(self, timeout: float) -> None:
        self._worker = Worker(timeout)

    def parse(self, path: Path, settings: ParseSettings) -> Parsed | str:
        """Parse a file, or say what is wrong with it."""
        return self._worker.parse(path, settings)


def parse_on_ray(
    files: Sequence[SourceFile], settings: ParseSettings, *, workers: int, timeout: float
) -> Iterator[Outcome]:
    """Yield each file with what was parsed, or the reason why not, as they get ready.

    The files have to be at the same path on every machine. A machine that is lost has its files
    parsed on another. Without a running Ray, one is started on this machine.

    Raises:
        UnsupportedFileError: If Ray is not installed.
    """
    ray = _ray()
    if not files:
        return
    if not ray.is_initialized():
        ray.init()
    actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_TRIES)(RayWorker)
    actors = [actor.remote(timeout) for _ in range(min(max(workers, 1), len(files)))]
    waiting, running = list(reversed(files)), {}
    try:
        for one in actors:
            file = waiting.pop()
            running[one.parse.remote(file.absolute, settings)] = (one, file)
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            one, file = running.pop(ready)
            yield file, _outcome(ray, ready, file)
            if waiting:
                file = waiting.pop()
                running[one.parse.remote(file.absolute, settings)] = (one, file)
    finally:
        for one in actors:
            ray.kill(one)


def _outcome(ray: Any, ready: Any, file: SourceFile) -> Parsed | str:
    try:
        outcome: Parsed | str = ray.get(ready)
    except ray.exceptions.RayError as error:
        reason = str(error).strip().splitlines()[-1]
        return f"{file.absolute.name} was lost with its machine: {reason}"[:500]
    return outcome


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        msg = "Ray is not installed: install the extra `ray`, or parse with processes"
        raise UnsupportedFileError(msg) from error
    return ray
