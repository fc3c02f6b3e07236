"""The journal in a SQLite file: write-ahead log, synchronous=FULL, one connection."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from langchain_kimi.swarm.backend import (
    Blob,
    BlobInfo,
    Claim,
    JournalError,
    JournalTakenError,
    Row,
    RunInfo,
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
  updated REAL NOT NULL);
CREATE TABLE IF NOT EXISTS records (
  run INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, agent TEXT NOT NULL,
  body BLOB NOT NULL, PRIMARY KEY (run, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS artifacts (
  run INTEGER NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (run, name));
"""

_T = TypeVar("_T")


class SqliteBackend:
    """A journal in one file.

    Args:
        path: The file; its folder is made when missing. ":memory:" keeps nothing.
        patience: Seconds to go on trying while the file is locked or the disk is full.
    """

    def __init__(self, path: str | Path, *, patience: float = 30.0) -> None:
        self.path = str(path)
        self.patience = patience
        self._connection: sqlite3.Connection | None = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            if self.path != ":memory:":
                Path(self.path).expanduser().parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                str(Path(self.path).expanduser()) if self.path != ":memory:" else self.path,
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
        return self._connection

    def _transaction(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run `work` in a transaction, and again while the database is only busy or full."""
        deadline = time.monotonic() + self.patience
        pause = 0.01
        while True:
            try:
                return self._attempt(work)
            except sqlite3.Error as error:
                if not _may_pass(error) or time.monotonic() >= deadline:
                    msg = f"The journal {self.path!r} cannot be used: {error}."
                    raise JournalError(msg) from error
            time.sleep(pause)
            pause = min(1.0, pause * 2)

    def _attempt(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result

    def claim(self, run: str, now: float) -> Claim:
        """Make this process the only writer of a run."""

        def work(connection: sqlite3.Connection) -> Claim:
            connection.execute(
                "INSERT INTO runs (name, epoch, updated) VALUES (?, 1, ?) "
                "ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1",
                (run, now),
            )
            number, epoch = connection.execute(
                "SELECT id, epoch FROM runs WHERE name = ?", (run,)
            ).fetchone()
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM records WHERE run = ?", (number,)
            ).fetchone()
            return Claim(number, epoch, last + 1)

        return self._transaction(work)

    def write(self, rows: Sequence[Row], blobs: Sequence[Blob], now: float) -> None:
        """Write everything in one transaction, unless the run was taken over."""
        items: list[Row | Blob] = [*rows, *blobs]
        writers = {(item.run, item.epoch) for item in items}

        def work(connection: sqlite3.Connection) -> None:
            for run, epoch in writers:
                changed = connection.execute(
                    "UPDATE runs SET updated = ? WHERE id = ? AND epoch = ?", (now, run, epoch)
                ).rowcount
                if not changed:
                    msg = "The run was taken over by another process, or deleted."
                    raise JournalTakenError(msg)
            connection.executemany(
                "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?)",
                [(row.run, row.seq, row.kind, row.agent, row.body) for row in rows],
            )
            connection.executemany(
                "INSERT OR REPLACE INTO artifacts VALUES (?, ?, ?, ?)",
                [(blob.run, blob.name, blob.media_type, blob.body) for blob in blobs],
            )

        self._transaction(work)

    def read(self, run: str) -> Iterable[tuple[int, str, bytes]]:
        """Return a run's records in their order."""
        return self._rows(
            "SELECT kind, agent, body FROM records "
            "WHERE run = (SELECT id FROM runs WHERE name = ?) ORDER BY seq",
            (run,),
        )

    def blobs(self, run: str) -> list[BlobInfo]:
        """List a run's artifacts."""
        rows = self._rows(
            "SELECT name, media_type, length(body) FROM artifacts "
            "WHERE run = (SELECT id FROM runs WHERE name = ?) ORDER BY name",
            (run,),
        )
        return [BlobInfo(*row) for row in rows]

    def blob(self, run: str, name: str) -> tuple[str, bytes] | None:
        """Return an artifact's media type and content."""
        rows: list[tuple[str, bytes]] = self._rows(
            "SELECT media_type, body FROM artifacts "
            "WHERE run = (SELECT id FROM runs WHERE name = ?) AND name = ?",
            (run, name),
        )
        return rows[0] if rows else None

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        return self._transaction(lambda connection: connection.execute(query, values).fetchall())

    def drop_records(self, run: str, kinds: Sequence[int], agents: Sequence[str]) -> None:
        """Forget the records of these kinds of these agents."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "DELETE FROM records WHERE run = (SELECT id FROM runs WHERE name = ?) "
                "AND agent = ? AND kind = ?",
                [(run, agent, kind) for agent in agents for kind in kinds],
            )

        self._transaction(work)

    def delete(self, run: str) -> None:
        """Forget a run altogether."""

        def work(connection: sqlite3.Connection) -> None:
            found = connection.execute("SELECT id FROM runs WHERE name = ?", (run,)).fetchone()
            if found is None:
                return
            connection.execute("DELETE FROM records WHERE run = ?", found)
            connection.execute("DELETE FROM artifacts WHERE run = ?", found)
            connection.execute("DELETE FROM runs WHERE name = ?", (run,))

        self._transaction(work)

    def runs(self) -> list[RunInfo]:
        """List the runs, the latest first."""
        rows = self._rows(
            "SELECT name, count(seq), coalesce(sum(length(body)), 0), updated FROM runs "
            "LEFT JOIN records ON records.run = runs.id GROUP BY runs.id ORDER BY updated DESC",
            (),
        )
        return [RunInfo(*row) for row in rows]

    def vacuum(self) -> None:
        """Give room back to the disk."""
        self._open().execute("VACUUM")

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _may_pass(error: sqlite3.Error) -> bool:
    """Tell whether waiting may help: the file is locked, or the disk is full."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
