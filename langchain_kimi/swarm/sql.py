"""The journal's statements, the same for every database; a subclass brings its connection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from langchain_kimi.swarm.backend import (
    Blob,
    BlobInfo,
    Claim,
    JournalTakenError,
    Row,
    RunInfo,
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS kimi_runs (
  id {serial}, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
  updated DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS kimi_records (
  run BIGINT NOT NULL, seq BIGINT NOT NULL, kind SMALLINT NOT NULL, agent TEXT NOT NULL,
  body {bytes} NOT NULL, PRIMARY KEY (run, seq)){records};
CREATE TABLE IF NOT EXISTS kimi_artifacts (
  run BIGINT NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL, body {bytes} NOT NULL,
  PRIMARY KEY (run, name));
"""
"""To be filled with the words of a database for what differs."""

_T = TypeVar("_T")


class Cursor(Protocol):
    """What the statements need of a database's cursor; `?` stands for a value."""

    def execute(self, query: str, values: Sequence[Any] = ...) -> object:
        """Run a statement."""

    def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> object:
        """Run a statement once for each row of values."""

    def fetchone(self) -> Any:
        """Return the next row."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""

    @property
    def rowcount(self) -> int:
        """How many rows the last statement changed."""


class SqlBackend(ABC):
    """A journal in tables. See `Backend` for what the methods promise."""

    @abstractmethod
    def transaction(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in a transaction, again while its failures may pass.

        Raises:
            JournalError: The database cannot be used; nothing of `work` is there.
        """

    @abstractmethod
    def vacuum(self) -> None:
        """Give the room of what was forgotten back to the disk."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""

    def claim(self, run: str, now: float) -> Claim:
        """Make this process the only writer of a run."""

        def work(cursor: Cursor) -> Claim:
            cursor.execute(
                "INSERT INTO kimi_runs (name, epoch, updated) VALUES (?, 1, ?) "
                "ON CONFLICT (name) DO UPDATE SET epoch = kimi_runs.epoch + 1",
                (run, now),
            )
            cursor.execute("SELECT id, epoch FROM kimi_runs WHERE name = ?", (run,))
            number, epoch = cursor.fetchone()
            cursor.execute("SELECT max(seq) FROM kimi_records WHERE run = ?", (number,))
            return Claim(number, epoch, (cursor.fetchone()[0] or 0) + 1)

        return self.transaction(work)

    def write(self, rows: Sequence[Row], blobs: Sequence[Blob], now: float) -> None:
        """Write everything in one transaction, unless the run was taken over."""
        items: list[Row | Blob] = [*rows, *blobs]
        writers = sorted({(item.run, item.epoch) for item in items})

        def work(cursor: Cursor) -> None:
            for run, epoch in writers:
                cursor.execute(
                    "UPDATE kimi_runs SET updated = ? WHERE id = ? AND epoch = ?",
                    (now, run, epoch),
                )
                if not cursor.rowcount:
                    msg = "The run was taken over by another process, or deleted."
                    raise JournalTakenError(msg)
            cursor.executemany(
                "INSERT INTO kimi_records VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                [(row.run, row.seq, row.kind, row.agent, row.body) for row in rows],
            )
            cursor.executemany(
                "INSERT INTO kimi_artifacts VALUES (?, ?, ?, ?) ON CONFLICT (run, name) "
                "DO UPDATE SET media_type = excluded.media_type, body = excluded.body",
                [(blob.run, blob.name, blob.media_type, blob.body) for blob in blobs],
            )

        self.transaction(work)

    def read(self, run: str) -> Iterable[tuple[int, str, bytes]]:
        """Return a run's records in their order."""
        return self._rows(
            "SELECT kind, agent, body FROM kimi_records "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = ?) ORDER BY seq",
            (run,),
        )

    def blobs(self, run: str) -> list[BlobInfo]:
        """List a run's artifacts."""
        rows = self._rows(
            "SELECT name, media_type, length(body) FROM kimi_artifacts "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = ?) ORDER BY name",
            (run,),
        )
        return [BlobInfo(*row) for row in rows]

    def blob(self, run: str, name: str) -> tuple[str, bytes] | None:
        """Return an artifact's media type and content."""
        rows: list[tuple[str, bytes]] = self._rows(
            "SELECT media_type, body FROM kimi_artifacts "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = ?) AND name = ?",
            (run, name),
        )
        return rows[0] if rows else None

    def drop_records(self, run: str, kinds: Sequence[int], agents: Sequence[str]) -> None:
        """Forget the records of these kinds of these agents."""
        self.transaction(
            lambda cursor: cursor.executemany(
                "DELETE FROM kimi_records WHERE run = (SELECT id FROM kimi_runs WHERE name = ?) "
                "AND agent = ? AND kind = ?",
                [(run, agent, kind) for agent in agents for kind in kinds],
            )
        )

    def delete(self, run: str) -> None:
        """Forget a run altogether."""

        def work(cursor: Cursor) -> None:
            cursor.execute("SELECT id FROM kimi_runs WHERE name = ?", (run,))
            found = cursor.fetchone()
            if found is not None:
                cursor.execute("DELETE FROM kimi_records WHERE run = ?", found)
                cursor.execute("DELETE FROM kimi_artifacts WHERE run = ?", found)
                cursor.execute("DELETE FROM kimi_runs WHERE id = ?", found)

        self.transaction(work)

    def runs(self) -> list[RunInfo]:
        """List the runs, the latest first."""
        rows = self._rows(
            "SELECT name, count(seq), CAST(coalesce(sum(length(body)), 0) AS BIGINT), updated "
            "FROM kimi_runs LEFT JOIN kimi_records ON kimi_records.run = kimi_runs.id "
            "GROUP BY kimi_runs.id ORDER BY updated DESC, name",
            (),
        )
        return [RunInfo(*row) for row in rows]

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        def work(cursor: Cursor) -> list[Any]:
            cursor.execute(query, values)
            return cursor.fetchall()

        return self.transaction(work)
