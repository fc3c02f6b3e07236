"""Running a command in a thread that ends when whoever waits for it is cancelled."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")


class _Group:
    """The process group of a command, once there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._group = 0
        self._ended = False

    def started(self, group: int) -> None:
        with self._lock:
            self._group = group
            if self._ended:
                self._kill()

    def end(self) -> None:
        with self._lock:
            self._ended = True
            self._kill()

    def _kill(self) -> None:
        if self._group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)


async def in_thread(pool: Executor, work: Callable[[Callable[[int], None]], _T]) -> _T:
    """Run work that starts a command; a cancelled wait kills the command.

    Args:
        pool: Where it runs. Not the event loop's own, for work may wait for long.
        work: Gets a function that it tells the command's process group.
    """
    group = _Group()
    running = asyncio.get_running_loop().run_in_executor(pool, work, group.started)
    try:
        return await running
    except asyncio.CancelledError:
        group.end()
        raise
