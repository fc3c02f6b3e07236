"""The journal in a SQLite file: write-ahead log, synchronous=FULL, one connection."""

from __future__ import annotations

import sqlite3
import time
import weakref
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.sql import SCHEMA, Cursor, SqlBackend

_SCHEMA = SCHEMA.format(serial="INTEGER PRIMARY KEY", bytes="BLOB", records=" WITHOUT ROWID")
_MAY_PASS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
"""The file is locked, or the disk is full: waiting may help."""

_T = TypeVar("_T")


class SqliteBackend(SqlBackend):
    """A journal in one file.

    Args:
        path: The file; its folder is made when missing. ":memory:" keeps nothing.
        patience: Seconds to go on trying while the file is locked or the disk is full.
    """

    def __init__(self, path: str | Path, *, patience: float = 30.0) -> None:
        self.path = str(path)
        self.patience = patience
        self._connection: sqlite3.Connection | None = None

    @cached_property
    def place(self) -> str:
        """What tells this file from others; "" in memory. Asks the disk, the first time."""
        return "" if self.path == ":memory:" else str(Path(self.path).expanduser().absolute())

    def transaction(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in a transaction, and again while the database is only busy or full."""
        return self._patiently(lambda: self._attempt(work))

    def vacuum(self) -> None:
        """Give room back to the disk."""
        self._patiently(lambda: self._open().execute("VACUUM"))

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._let_go()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            path = Path(self.path).expanduser()
            if self.path != ":memory:":
                path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self.path if self.path == ":memory:" else path,
                timeout=1.0,
                isolation_level=None,
                check_same_thread=False,
            )
            try:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=FULL")
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
            self._let_go = weakref.finalize(self, connection.close)  # where nobody calls `close`
        return self._connection

    def _patiently(self, attempt: Callable[[], _T]) -> _T:
        deadline = time.monotonic() + self.patience
        pause = 0.01
        while True:
            try:
                return attempt()
            except (sqlite3.Error, OSError) as error:
                code = getattr(error, "sqlite_errorcode", 0) & 0xFF
                if code not in _MAY_PASS or time.monotonic() >= deadline:
                    msg = f"The journal {self.path!r} cannot be used: {error}."
                    raise JournalError(msg) from error
            time.sleep(pause)
            pause = min(1.0, pause * 2)

    def _attempt(self, work: Callable[[Cursor], _T]) -> _T:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection.cursor())
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result
