"""Figures of what waits: in the servers' queue and in the workers', asked for every few seconds.

`KIMI_QUEUE` names the queue of `langchain-kimi worker`. Aegra has its runs in a table of the
database that `DATABASE_URL` names; LangGraph's development server shows figures of its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache

from prometheus_client import Gauge

logger = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two looks."""
_WAITING = b"SELECT created_at FROM runs WHERE status = 'pending'"

Ask = Callable[[], list[datetime]]
"""Returns since when each run waits."""


class QueueFigures:
    """The gauges; made once in a process."""

    def __init__(self) -> None:
        self.waiting = Gauge("kimi_queue_waiting", "Runs that nobody has taken yet.", ["queue"])
        self.oldest = Gauge(
            "kimi_queue_oldest_seconds", "How long the oldest of them waits.", ["queue"]
        )

    def show(self, queue: str, since: list[datetime]) -> None:
        """Show how many wait in a queue, and how long."""
        now = datetime.now(UTC)
        self.waiting.labels(queue).set(len(since))
        self.oldest.labels(queue).set((now - min(since, default=now)).total_seconds())

    def hide(self, queue: str) -> None:
        """Show nothing rather than what is no longer known."""
        for gauge in (self.waiting, self.oldest):
            with suppress(KeyError):
                gauge.remove(queue)


@lru_cache(maxsize=1)
def figures() -> QueueFigures:
    """Return this process's gauges."""
    return QueueFigures()


@asynccontextmanager
async def watched_queues() -> AsyncIterator[None]:
    """Look at the queues that the environment names, until the end of the block."""
    asks: dict[str, Ask] = {}
    if where := os.environ.get("KIMI_QUEUE"):
        asks["workers"] = lambda: _of_workers(where)
    if url := os.environ.get("DATABASE_URL"):
        asks["servers"] = lambda: _of_servers(url)
    watching = asyncio.create_task(_watch(asks))
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def _watch(asks: Mapping[str, Ask]) -> None:
    while asks:
        for queue, ask in asks.items():
            try:
                figures().show(queue, await asyncio.to_thread(ask))
            except Exception as error:  # noqa: BLE001 - whatever it is, the server goes on
                figures().hide(queue)
                logger.warning("the queue of the %s tells nothing: %s", queue, type(error).__name__)
        await asyncio.sleep(SECONDS)


def _of_workers(where: str) -> list[datetime]:
    from langchain_kimi.workers import Queue  # noqa: PLC0415 - an extra

    with Queue(where) as queue:
        return queue.waiting()


def _of_servers(url: str) -> list[datetime]:
    import psycopg  # noqa: PLC0415 - an extra

    with psycopg.connect(url, connect_timeout=5) as connection:
        return [row[0] for row in connection.execute(_WAITING)]
