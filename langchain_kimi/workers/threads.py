"""The threads of a worker's event loop: which of them still work when the worker ends."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")
_LOOK_SECONDS = 0.05


class Threads(ThreadPoolExecutor):
    """An executor that knows what is at work in it, also when nobody waits for it any more."""

    def __init__(self) -> None:
        super().__init__(thread_name_prefix="worker")
        self._at_work: set[Future[Any]] = set()

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run something in a thread."""
        future = super().submit(fn, *args, **kwargs)
        self._at_work.add(future)
        future.add_done_callback(self._at_work.discard)
        return future

    async def ended(self, code: int, *, ends_process: bool) -> None:
        """Wait until nothing is at work, or end the process.

        Args:
            code: The exit code.
            ends_process: Whether not to wait.
        """
        if not (count := len(self._at_work)):
            return
        if ends_process:
            logger.warning("%d threads still work: the process ends without them", count)
            logging.shutdown()
            sys.stdout.flush()
            os._exit(code)
        logger.warning("waiting for %d threads that still work", count)
        while self._at_work:  # noqa: ASYNC110  they are threads
            await asyncio.sleep(_LOOK_SECONDS)
