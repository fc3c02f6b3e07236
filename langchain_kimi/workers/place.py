"""Where the queue, the journal and the checkpoints lie: a folder, or a PostgreSQL database."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit, urlunsplit

from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_kimi.swarm import Journal, open_journal

_KEEPALIVES = """
SET tcp_keepalives_idle = 5;
SET tcp_keepalives_interval = 2;
SET tcp_keepalives_count = 3
"""
"""So that the server notices a machine that is gone after 11 seconds, and not after hours."""

_SETUP_SECONDS = 0.1
_SETUP = "hashtextextended('langchain-kimi setup', 0)"

_SQLITE = (3, 42) if sys.version_info >= (3, 12) else (3, 35)
"""The oldest SQLite: on newer Pythons DBOS lets it write times to the millisecond."""

_CLIENT_KEEPALIVES = {
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
"""So that a worker notices likewise that its server is gone, or the way to it."""


class Presence(Protocol):
    """That a worker lives, as its database sees it."""

    def check(self) -> None:
        """Raise an `OSError` when the database does not see this worker any more."""

    def is_gone(self, worker: str) -> Callable[[], None] | None:
        """Tell whether another worker is gone.

        Returns:
            None while it lives, else what ends the sole right to take its runs over.
        """

    def leave(self) -> None:
        """Be gone."""


class Place:
    """A folder, for one worker, or a PostgreSQL database, for many."""

    def __init__(self, where: str | Path) -> None:
        """Name the place.

        Args:
            where: A folder, which is made, or `postgresql://user@host/database`.

        Raises:
            ValueError: For any other URL.
            OSError: For a folder, where Python has an SQLite that is too old for DBOS.
        """
        text = str(where)
        self.is_shared = text.startswith(("postgresql://", "postgres://"))
        if "://" in text and not self.is_shared:
            msg = (
                f"The queue {text.split('://', maxsplit=1)[0]}://… is not known. "
                "Give a folder, or postgresql://user@host/database."
            )
            raise ValueError(msg)
        self._where = _noticing(text) if self.is_shared else text
        if not self.is_shared:
            _check_sqlite()
            Path(text).mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return "Place(postgresql)" if self.is_shared else f"Place({self._where!r})"

    @property
    def queue_url(self) -> str:
        """The URL of the queue's database, as DBOS reads it."""
        return self._where if self.is_shared else f"sqlite:///{Path(self._where) / 'queue.sqlite'}"

    @asynccontextmanager
    async def stores(self) -> AsyncIterator[tuple[Journal, BaseCheckpointSaver[Any]]]:
        """Open the journal and the checkpoints."""
        async with AsyncExitStack() as stack:
            saver: Any
            if self.is_shared:
                from langgraph.checkpoint.postgres.aio import (  # noqa: PLC0415  an extra
                    AsyncPostgresSaver,
                )
                from psycopg.rows import dict_row  # noqa: PLC0415
                from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

                options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
                pool: Any = AsyncConnectionPool(
                    self._where, kwargs=options, min_size=1, max_size=8, open=False
                )
                saver = AsyncPostgresSaver(await stack.enter_async_context(pool))
                async with _alone(pool):
                    await saver.setup()
            else:
                from langgraph.checkpoint.sqlite.aio import (  # noqa: PLC0415  as the other
                    AsyncSqliteSaver,
                )

                path = str(Path(self._where) / "graph.sqlite")
                saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(path))
                await saver.setup()
            where = self._where if self.is_shared else Path(self._where) / "journal.sqlite"
            journal = open_journal(where)
            stack.push_async_callback(journal.aclose)
            yield journal, saver

    def enter(self, worker: str) -> Presence:
        """Let the database see that a worker lives.

        Raises:
            OSError: Another worker has the folder, or the database cannot be reached.
        """
        if self.is_shared:
            return _PostgresPresence(self._where, worker)
        return _FolderPresence(Path(self._where))


@asynccontextmanager
async def _alone(pool: Any) -> AsyncIterator[None]:
    """Hold the lock for making tables, which workers that begin together do one by one.

    It is tried, not waited for: an index that is made concurrently waits for all statements.
    """
    async with pool.connection() as connection:
        while True:
            found = await connection.execute(f"SELECT pg_try_advisory_lock({_SETUP}) AS had")
            if (await found.fetchone())["had"]:
                break
            await asyncio.sleep(_SETUP_SECONDS)
        try:
            yield
        finally:
            await connection.execute(f"SELECT pg_advisory_unlock({_SETUP})")


def _check_sqlite() -> None:
    if sqlite3.sqlite_version_info < _SQLITE:
        needed = ".".join(map(str, _SQLITE))
        msg = (
            f"A queue in a folder needs SQLite {needed} or newer on Python 3.12 and newer; this "
            f"Python has {sqlite3.sqlite_version}. Give postgresql://user@host/database, or use "
            "Python 3.11 or a Python with a newer SQLite, such as uv's."
        )
        raise OSError(msg)


def _noticing(url: str) -> str:
    """Add what lets a connection notice that its server is silent, unless the URL says it."""
    parts = urlsplit(url)
    given = {pair.partition("=")[0] for pair in parts.query.split("&")}
    added = [f"{name}={value}" for name, value in _CLIENT_KEEPALIVES.items() if name not in given]
    return urlunsplit(parts._replace(query="&".join(filter(None, [parts.query, *added]))))


class _FolderPresence:
    """The one worker of a folder holds a lock, which ends with its process."""

    def __init__(self, folder: Path) -> None:
        self._lock = sqlite3.connect(
            folder / "worker.sqlite", timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            self._lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            self._lock.close()
            msg = (
                f"another worker has the folder {str(folder)!r}: a folder is for one worker at a "
                "time; several share a PostgreSQL database"
            )
            raise OSError(msg) from error

    def check(self) -> None:
        """Do nothing: the lock is the process's own."""

    def is_gone(self, worker: str) -> Callable[[], None] | None:
        """Whoever else had the folder is gone."""
        return lambda: None

    def leave(self) -> None:
        """Free the folder."""
        self._lock.close()


class _PostgresPresence:
    """A session-level advisory lock: the server frees it when the worker's connection ends."""

    def __init__(self, url: str, worker: str) -> None:
        import psycopg  # noqa: PLC0415  an extra

        self._failure = psycopg.Error
        try:
            self._connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
            self._connection.execute(_KEEPALIVES)
        except psycopg.Error as error:
            msg = f"PostgreSQL cannot be reached: {type(error).__name__}"
            raise OSError(msg) from None
        self._tried("pg_try_advisory_lock", worker)

    def check(self) -> None:
        """Ask the server."""
        self._asked("SELECT 1")

    def is_gone(self, worker: str) -> Callable[[], None] | None:
        """A worker is gone when its lock can be had."""
        if not self._tried("pg_try_advisory_lock", worker):
            return None
        return lambda: self._free(worker)

    def leave(self) -> None:
        """End the connection, and the lock with it."""
        self._connection.close()

    def _free(self, worker: str) -> None:
        self._tried("pg_advisory_unlock", worker)

    def _tried(self, function: str, worker: str) -> bool:
        query = f"SELECT {function}(hashtextextended(%s, 0))"
        return bool(self._asked(query, f"langchain-kimi worker {worker}"))

    def _asked(self, query: str, *values: str) -> Any:
        try:
            row = self._connection.execute(query, values).fetchone()
        except self._failure as error:
            msg = f"the connection that shows this worker to be alive broke: {type(error).__name__}"
            raise OSError(msg) from None
        return row[0] if row else None
