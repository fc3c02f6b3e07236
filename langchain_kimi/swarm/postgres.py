"""The journal in PostgreSQL: one connection, made anew when it is lost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.sql import SCHEMA, Cursor, SqlBackend

try:
    import psycopg
except ImportError as error:
    msg = (
        "A journal on PostgreSQL needs psycopg: pip install 'langchain-kimi-nvidia[postgres]', "
        "or keep the journal in a SQLite file."
    )
    raise ImportError(msg) from error

_SCHEMA = SCHEMA.format(serial="BIGSERIAL PRIMARY KEY", bytes="BYTEA", records="").encode()
_SCHEMA_LOCK = 0x6B696D69
"""An advisory lock, so that two processes do not make the tables at the same moment."""
_SILENCE = 30_000
"""Milliseconds after which a server that acknowledges nothing is taken for lost."""

_T = TypeVar("_T")
_Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresBackend(SqlBackend):
    """A journal in a PostgreSQL database.

    Args:
        url: A connection URL; it never appears in an error, for it may hold a password.
        patience: Seconds to go on trying while the server cannot be reached.
    """

    def __init__(self, url: str, *, patience: float = 60.0) -> None:
        self._url = url
        self.patience = patience
        self.place = hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
        """Tells this database from others, without its password."""
        self._connection: _Connection | None = None

    def __repr__(self) -> str:
        return "PostgresBackend(…)"

    def transaction(self, work: Callable[[Cursor], _T]) -> _T:
        """Run `work` in a transaction, on a new connection when the old one was lost."""
        deadline = time.monotonic() + self.patience
        pause = 0.05
        while True:
            try:
                connection = self._open()
                with connection.transaction(), connection.cursor() as cursor:
                    return work(_Cursor(cursor))
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                self.close()
                if time.monotonic() >= deadline:
                    msg = f"The journal on PostgreSQL cannot be used: {type(error).__name__}."
                    raise JournalError(msg) from error
            except psycopg.Error as error:
                msg = f"The journal on PostgreSQL refused a statement: {error}."
                raise JournalError(msg) from error
            time.sleep(pause)
            pause = min(2.0, pause * 2)

    def vacuum(self) -> None:
        """Leave it to the server: its autovacuum does this."""

    def close(self) -> None:
        """Let go of the database."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> _Connection:
        if self._connection is None or self._connection.closed:
            connection = psycopg.connect(
                self._url, connect_timeout=10, tcp_user_timeout=_SILENCE, autocommit=True
            )
            try:
                with connection.transaction():
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SCHEMA_LOCK,))
                    connection.execute(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


class _Cursor:
    """A cursor that takes the statements as they are written."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor
        self.fetchone = cursor.fetchone
        self.fetchall = cursor.fetchall

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, query: str, values: Sequence[Any] = ()) -> object:
        return self._cursor.execute(query.replace("?", "%s").encode(), values)

    def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        self._cursor.executemany(query.replace("?", "%s").encode(), rows)
