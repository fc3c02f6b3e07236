"""The journal in PostgreSQL: one connection, made anew when it is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, LiteralString, TypeVar

from langchain_kimi.swarm.backend import (
    Blob,
    BlobInfo,
    Claim,
    JournalError,
    JournalTakenError,
    Row,
    RunInfo,
)

try:
    import psycopg
except ImportError as error:
    msg = (
        "A journal on PostgreSQL needs psycopg: pip install 'langchain-kimi-nvidia[postgres]', "
        "or keep the journal in a SQLite file."
    )
    raise ImportError(msg) from error

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kimi_runs (
  id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL,
  updated DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS kimi_records (
  run BIGINT NOT NULL, seq BIGINT NOT NULL, kind SMALLINT NOT NULL, agent TEXT NOT NULL,
  body BYTEA NOT NULL, PRIMARY KEY (run, seq));
CREATE TABLE IF NOT EXISTS kimi_artifacts (
  run BIGINT NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL, body BYTEA NOT NULL,
  PRIMARY KEY (run, name));
"""
_SCHEMA_LOCK = 0x6B696D69
"""An advisory lock, so that two processes do not make the tables at the same moment."""

_T = TypeVar("_T")
_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresBackend:
    """A journal in a PostgreSQL database.

    Args:
        url: A connection URL; it never appears in an error, for it may hold a password.
        patience: Seconds to go on trying while the server cannot be reached.
    """

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self._url = url
        self.patience = patience
        self._connection: _Connection | None = None

    def __repr__(self) -> str:
        return "PostgresBackend(…)"

    def _open(self) -> _Connection:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(self._url, connect_timeout=10)
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
                connection.execute(_SCHEMA)
            self._connection = connection
        return self._connection

    def _transaction(self, work: Callable[[_Connection], _T]) -> _T:
        """Run `work` in a transaction, on a new connection when the old one was lost."""
        deadline = time.monotonic() + self.patience
        pause = 0.05
        while True:
            try:
                connection = self._open()
                with connection.transaction():
                    return work(connection)
            except psycopg.OperationalError as error:
                self.close()
                if time.monotonic() >= deadline:
                    msg = f"The journal on PostgreSQL cannot be used: {type(error).__name__}."
                    raise JournalError(msg) from error
            except psycopg.Error as error:
                msg = f"The journal on PostgreSQL refused a statement: {error}."
                raise JournalError(msg) from error
            time.sleep(pause)
            pause = min(2.0, pause * 2)

    def claim(self, run: str, now: float) -> Claim:
        """Make this process the only writer of a run."""

        def work(connection: _Connection) -> Claim:
            number, epoch = _one(
                connection,
                "INSERT INTO kimi_runs (name, epoch, updated) VALUES (%s, 1, %s) "
                "ON CONFLICT (name) DO UPDATE SET epoch = kimi_runs.epoch + 1 "
                "RETURNING id, epoch",
                (run, now),
            )
            (last,) = _one(
                connection,
                "SELECT coalesce(max(seq), 0) FROM kimi_records WHERE run = %s",
                (number,),
            )
            return Claim(number, epoch, last + 1)

        return self._transaction(work)

    def write(self, rows: Sequence[Row], blobs: Sequence[Blob], now: float) -> None:
        """Write everything in one transaction, unless the run was taken over."""
        items: list[Row | Blob] = [*rows, *blobs]
        writers = sorted({(item.run, item.epoch) for item in items})

        def work(connection: _Connection) -> None:
            for run, epoch in writers:
                changed = connection.execute(
                    "UPDATE kimi_runs SET updated = %s WHERE id = %s AND epoch = %s",
                    (now, run, epoch),
                ).rowcount
                if not changed:
                    msg = "The run was taken over by another process, or deleted."
                    raise JournalTakenError(msg)
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO kimi_records VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    [(row.run, row.seq, row.kind, row.agent, row.body) for row in rows],
                )
                cursor.executemany(
                    "INSERT INTO kimi_artifacts VALUES (%s, %s, %s, %s) ON CONFLICT (run, name) "
                    "DO UPDATE SET media_type = excluded.media_type, body = excluded.body",
                    [(blob.run, blob.name, blob.media_type, blob.body) for blob in blobs],
                )

        self._transaction(work)

    def read(self, run: str) -> Iterable[tuple[int, str, bytes]]:
        """Return a run's records in their order."""
        return self._rows(
            "SELECT kind, agent, body FROM kimi_records "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = %s) ORDER BY seq",
            (run,),
        )

    def blobs(self, run: str) -> list[BlobInfo]:
        """List a run's artifacts."""
        rows = self._rows(
            "SELECT name, media_type, length(body) FROM kimi_artifacts "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = %s) ORDER BY name",
            (run,),
        )
        return [BlobInfo(*row) for row in rows]

    def blob(self, run: str, name: str) -> tuple[str, bytes] | None:
        """Return an artifact's media type and content."""
        rows: list[tuple[str, bytes]] = self._rows(
            "SELECT media_type, body FROM kimi_artifacts "
            "WHERE run = (SELECT id FROM kimi_runs WHERE name = %s) AND name = %s",
            (run, name),
        )
        return rows[0] if rows else None

    def _rows(self, query: LiteralString, values: tuple[object, ...]) -> list[Any]:
        return self._transaction(lambda connection: connection.execute(query, values).fetchall())

    def drop_records(self, run: str, kinds: Sequence[int], agents: Sequence[str]) -> None:
        """Forget the records of these kinds of these agents."""
        self._transaction(
            lambda connection: connection.execute(
                "DELETE FROM kimi_records WHERE run = (SELECT id FROM kimi_runs WHERE name = %s) "
                "AND agent = ANY(%s) AND kind = ANY(%s)",
                (run, list(agents), list(kinds)),
            )
        )

    def delete(self, run: str) -> None:
        """Forget a run altogether."""

        def work(connection: _Connection) -> None:
            found = connection.execute(
                "DELETE FROM kimi_runs WHERE name = %s RETURNING id", (run,)
            ).fetchone()
            if found is not None:
                connection.execute("DELETE FROM kimi_records WHERE run = %s", found)
                connection.execute("DELETE FROM kimi_artifacts WHERE run = %s", found)

        self._transaction(work)

    def runs(self) -> list[RunInfo]:
        """List the runs, the latest first."""
        rows = self._rows(
            "SELECT name, count(seq), coalesce(sum(length(body)), 0)::bigint, updated "
            "FROM kimi_runs LEFT JOIN kimi_records ON kimi_records.run = kimi_runs.id "
            "GROUP BY kimi_runs.id ORDER BY updated DESC",
            (),
        )
        return [RunInfo(*row) for row in rows]

    def vacuum(self) -> None:
        """Leave it to the server: its autovacuum does this."""

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _one(connection: _Connection, query: LiteralString, values: tuple[object, ...]) -> Any:
    return connection.execute(query, values).fetchone()
