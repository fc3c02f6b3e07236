"""The embedded engine: one SQLite file, with full text and vectors searched in numpy."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_random

from langchain_kimi.rag.errors import IndexMismatchError
from langchain_kimi.rag.index import conditions, postings, rows
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, IndexStats, Level, Unit
from langchain_kimi.rag.index.schema import TABLES, VERSION
from langchain_kimi.rag.index.store import Vector
from langchain_kimi.rag.index.vectors import VectorTable

_BUSY_SECONDS = 60.0
_CACHE_KIB = 65_536


class SqliteStore:
    """An index in one file; several processes may read and write it at once."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._vectors = VectorTable()
        weakref.finalize(self, _close, self._open)  # a store that is dropped leaves nothing open

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    @property
    def path(self) -> Path:
        """Return the file of the index."""
        return self._path

    def upsert(
        self,
        namespace: str,
        document: DocumentRecord,
        units: Sequence[Unit],
        vectors: Sequence[Vector | None] | None = None,
    ) -> None:
        """Put a document in place of its old entries, in one transaction."""
        with self._write() as db:
            numbers = self._replace(db, namespace, document, units)
            if vectors is not None:
                pairs = zip(numbers, vectors, strict=True)
                db.executemany(
                    "INSERT INTO vectors VALUES (?, ?)",
                    [(number, _blob(vector)) for number, vector in pairs if vector is not None],
                )

    def delete(self, namespace: str, document_ids: Sequence[str]) -> int:
        """Remove documents in one transaction."""
        with self._write() as db:
            return sum(self._remove(db, namespace, document_id) for document_id in document_ids)

    def search(
        self,
        namespace: str,
        *,
        level: Level,
        text: Sequence[str] = (),
        refs: Sequence[str] = (),
        dense: Vector | None = None,
        where: Filter | None = None,
        k: int = 10,
    ) -> list[Hit]:
        """Return the best units of a level, by BM25 or by cosine."""
        if (bool(text) + bool(refs) + (dense is not None)) > 1:
            msg = "search takes one of text, refs and dense: make one call for each and fuse them"
            raise ValueError(msg)
        if dense is not None:
            found = self._nearest(namespace, level, dense, where, k)
        else:
            field = postings.field_of(level, refs=bool(refs))
            words = list(dict.fromkeys(text or refs))
            found = self._ranked(namespace, level, field, words, where, k) if words else []
        units = rows.read_units(self._db(), [number for number, _ in found])
        return [Hit(unit=units[number], score=score) for number, score in found if number in units]

    def _ranked(
        self,
        namespace: str,
        level: Level,
        field: postings.Field,
        words: Sequence[str],
        where: Filter | None,
        k: int,
    ) -> list[tuple[int, float]]:
        documents = self._document_numbers(namespace, where)
        allowed = None
        if conditions.concerns_units(where):
            allowed = self._unit_numbers(namespace, level, where)
        return postings.rank(
            self._db(), namespace, field, words, documents=documents, allowed=allowed, k=k
        )

    def _nearest(
        self, namespace: str, level: Level, dense: Vector, where: Filter | None, k: int
    ) -> list[tuple[int, float]]:
        allowed = None
        if where is not None and where != Filter():
            allowed = self._unit_numbers(namespace, level, where)
        query = np.asarray(dense, dtype=np.float32)
        return self._vectors.search(self._db(), query, namespace, level, allowed, k)

    def _document_numbers(self, namespace: str, where: Filter | None) -> frozenset[int] | None:
        wanted = conditions.document_condition(namespace, where)
        if wanted is None:
            return None
        found = self._db().execute(f"SELECT d.number FROM documents d WHERE {wanted[0]}", wanted[1])
        return frozenset(row[0] for row in found)

    def _unit_numbers(
        self, namespace: str, level: Level, where: Filter | None
    ) -> NDArray[np.int64]:
        wanted, values = conditions.condition(namespace, level, where)
        table = conditions.units_table(where)
        found = self._db().execute(f"SELECT u.number FROM {table} WHERE {wanted}", values)
        return np.fromiter((row[0] for row in found), dtype=np.int64)

    def units(self, namespace: str, *, level: Level, where: Filter | None = None) -> list[Unit]:
        """Return all units of a level that meet a filter."""
        wanted, values = conditions.condition(namespace, level, where)
        found = self._db().execute(
            f"SELECT {rows.UNIT} FROM {conditions.units_table(where)} WHERE {wanted}"
            " ORDER BY u.document_id, u.page, u.number",
            values,
        )
        return [rows.unit_of(row) for row in found]

    def documents(self, namespace: str, ids: Sequence[str] | None = None) -> list[DocumentRecord]:
        """Return the documents of a namespace, or those of some ids, by path."""
        chosen = "" if ids is None else " AND id IN (SELECT value FROM json_each(?))"
        values = [namespace] if ids is None else [namespace, json.dumps(list(ids))]
        found = self._db().execute(
            f"SELECT record FROM documents WHERE namespace = ?{chosen} ORDER BY path", values
        )
        return [rows.document_of(row[0]) for row in found]

    def stats(self, namespace: str) -> IndexStats:
        """Count what a namespace holds."""
        row = (
            self._db()
            .execute(
                "SELECT (SELECT count(*) FROM documents WHERE namespace = ?), count(*),"
                " coalesce(sum(u.level = 'page'), 0), count(v.number) + count(e.number)"
                " FROM units u LEFT JOIN vectors v ON v.number = u.number"
                " LEFT JOIN engine_keys e ON e.number = u.number WHERE u.namespace = ?",
                [namespace, namespace],
            )
            .fetchone()
        )
        return IndexStats(documents=row[0], units=row[1], pages=row[2], vectors=row[3])

    def set_embedding(self, name: str, dimension: int) -> None:
        """Fix the embedding model on first use, and hold later ones against it."""
        wanted = json.dumps([name, dimension])
        with self._write() as db:
            db.execute("INSERT OR IGNORE INTO meta VALUES ('embedding', ?)", [wanted])
            stored = db.execute("SELECT value FROM meta WHERE key = 'embedding'").fetchone()[0]
        if stored != wanted:
            old_name, old_dimension = json.loads(stored)
            msg = (
                f"the index {self._path} was made with the embedding model {old_name!r}"
                f" ({old_dimension} dimensions), not {name!r} ({dimension}): open it with the"
                " old model, or ingest into a new index"
            )
            raise IndexMismatchError(msg)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            _close(self._open)
        self._local = threading.local()

    def _db(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._lock:
                self._open.append(connection)
        return connection

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if known is None:
            connection.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", [VERSION])
        stored = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        if stored is not None and stored[0] != VERSION:
            msg = (
                f"the index {self._path} has the layout {stored[0]}, this version reads {VERSION}:"
                " ingest the files into a new index"
            )
            raise IndexMismatchError(msg)

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute(
                "INSERT INTO meta VALUES ('generation', '1') ON CONFLICT (key)"
                " DO UPDATE SET value = CAST(value AS INTEGER) + 1"
            )
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _replace(
        self,
        db: sqlite3.Connection,
        namespace: str,
        document: DocumentRecord,
        units: Sequence[Unit],
    ) -> range:
        """Put a document in place of its old entries; return the numbers of its units."""
        self._remove(db, namespace, document.id)
        document_number = rows.insert_document(db, namespace, document)
        numbers = rows.insert_units(db, namespace, units)
        postings.add_postings(db, namespace, document_number, numbers, units)
        return numbers

    def _remove(self, db: sqlite3.Connection, namespace: str, document_id: str) -> int:
        """Remove a document with all that belongs to it; return how many there were."""
        key = (namespace, document_id)
        row = db.execute(
            "SELECT number FROM documents WHERE namespace = ? AND id = ?", key
        ).fetchone()
        if row is None:
            return 0
        chosen = "FROM units u WHERE u.namespace = ? AND u.document_id = ?"
        units = [rows.unit_of(unit) for unit in db.execute(f"SELECT {rows.UNIT} {chosen}", key)]
        postings.remove_postings(db, namespace, row[0], units)
        for table in ("vectors", "engine_keys"):
            db.execute(f"DELETE FROM {table} WHERE number IN (SELECT u.number {chosen})", key)
        db.execute("DELETE FROM units WHERE namespace = ? AND document_id = ?", key)
        db.execute("DELETE FROM tags WHERE namespace = ? AND document_id = ?", key)
        db.execute("DELETE FROM documents WHERE number = ?", row)
        return 1


def _blob(vector: Vector) -> bytes:
    return np.asarray(vector, dtype=np.float32).tobytes()


def _close(connections: list[sqlite3.Connection]) -> None:
    for connection in connections:
        connection.close()
    connections.clear()


@retry(
    retry=retry_if_exception_type(sqlite3.OperationalError),
    stop=stop_after_delay(_BUSY_SECONDS),
    wait=wait_random(0.01, 0.05),
    reraise=True,
)
def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; SQLite does not wait for others who do the same."""
    connection.execute("PRAGMA journal_mode = WAL")
