"""The embedded engine: SQLite with FTS5, and exact vector search with numpy beside it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from langchain_kimi.rag.errors import IndexMismatchError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, IndexStats, Level, Unit
from langchain_kimi.rag.index.schema import LEVELS, VERSION, statements
from langchain_kimi.rag.index.store import Vector
from langchain_kimi.rag.index.vectors import VectorTable

_BUSY_SECONDS = 60.0
_UNIT = "u.id, u.document_id, u.level, u.kind, u.page, u.text, u.extra"
_EXTRA = ("label", "caption", "headings", "box", "page_size", "start", "end", "origin")


class SqliteStore:
    """An index in one file; several processes may read and write it at once."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._local = threading.local()
        self._open: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._vectors = VectorTable()

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
            _remove(db, namespace, [document.id])
            _insert_document(db, namespace, document)
            for index, unit in enumerate(units):
                vector = vectors[index] if vectors else None
                _insert_unit(db, namespace, unit, vector)

    def delete(self, namespace: str, document_ids: Sequence[str]) -> int:
        """Remove documents in one transaction."""
        with self._write() as db:
            return _remove(db, namespace, document_ids)

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
            return self._search_dense(namespace, level, dense, where, k)
        words = list(dict.fromkeys(text or refs))
        if not words:
            return []
        columns = "{head body}" if text else "{refs}"
        match = f"{columns} : ({' OR '.join(_quoted(word) for word in words)})"
        condition, values = _condition(namespace, level, where)
        table = f"{level}_text"
        # The inner query sorts numbers only; texts are read for the best k alone.
        rows = self._db().execute(
            f"SELECT {_UNIT}, t.head, t.body, t.refs, best.score FROM ("
            f" SELECT u.number AS number, -bm25({table}) AS score"
            f" FROM {table} JOIN units u ON u.number = {table}.rowid"
            f" WHERE {table} MATCH ? AND {condition} ORDER BY score DESC, u.number LIMIT ?"
            f") best JOIN units u ON u.number = best.number JOIN {table} t ON t.rowid = best.number"
            " ORDER BY best.score DESC, best.number",
            [match, *values, k],
        )
        return [Hit(unit=_unit(row), score=row[-1]) for row in rows]

    def _search_dense(
        self, namespace: str, level: Level, dense: Vector, where: Filter | None, k: int
    ) -> list[Hit]:
        db = self._db()
        condition, values = _condition(namespace, level, where)
        allowed = db.execute(
            f"SELECT u.number FROM units u JOIN vectors v ON v.number = u.number WHERE {condition}",
            values,
        )
        numbers = np.fromiter((row[0] for row in allowed), dtype=np.int64)
        found = self._vectors.search(db, np.asarray(dense, dtype=np.float32), numbers, k)
        hits = []
        for number, score in found:
            row = db.execute(
                f"SELECT {_UNIT}, t.head, t.body, t.refs FROM units u"
                f" JOIN {level}_text t ON t.rowid = u.number WHERE u.number = ?",
                [number],
            ).fetchone()
            if row is not None:
                hits.append(Hit(unit=_unit(row), score=score))
        return hits

    def units(self, namespace: str, *, level: Level, where: Filter | None = None) -> list[Unit]:
        """Return all units of a level that meet a filter."""
        condition, values = _condition(namespace, level, where)
        rows = self._db().execute(
            f"SELECT {_UNIT}, t.head, t.body, t.refs FROM units u"
            f" JOIN {level}_text t ON t.rowid = u.number"
            f" WHERE {condition} ORDER BY u.document_id, u.page, u.number",
            values,
        )
        return [_unit(row) for row in rows]

    def documents(self, namespace: str) -> list[DocumentRecord]:
        """Return the documents of a namespace, by path."""
        rows = self._db().execute(
            "SELECT record FROM documents WHERE namespace = ? ORDER BY path", [namespace]
        )
        return [_document(row[0]) for row in rows]

    def stats(self, namespace: str) -> IndexStats:
        """Count what a namespace holds."""
        row = (
            self._db()
            .execute(
                "SELECT (SELECT count(*) FROM documents WHERE namespace = ?), count(*),"
                " coalesce(sum(level = 'page'), 0), count(v.number)"
                " FROM units u LEFT JOIN vectors v ON v.number = u.number WHERE namespace = ?",
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
            for connection in self._open:
                connection.close()
            self._open.clear()
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
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
        if known is None:
            connection.executescript(f"BEGIN IMMEDIATE; {statements()} COMMIT;")
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", [VERSION])
        stored = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
        if stored is not None and stored[0] != VERSION:
            connection.close()
            msg = (
                f"the index {self._path} has the layout {stored[0]}, this version reads {VERSION}:"
                " ingest the files into a new index"
            )
            raise IndexMismatchError(msg)
        return connection

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


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '""') + '"'


def _condition(namespace: str, level: Level, where: Filter | None) -> tuple[str, list[Any]]:
    """Return the SQL of a filter; the namespace is always part of it."""
    if level not in LEVELS:
        msg = f"unknown level {level!r}: use one of {', '.join(LEVELS)}"
        raise ValueError(msg)
    parts, values = ["u.namespace = ?", "u.level = ?"], [namespace, level]
    if where is None:
        return " AND ".join(parts), values
    result: list[Any] = list(values)
    if where.documents:
        parts.append(f"u.document_id IN ({_marks(where.documents)})")
        result += where.documents
    if where.ids:
        parts.append(f"u.id IN ({_marks(where.ids)})")
        result += where.ids
    if where.kinds:
        parts.append(f"u.kind IN ({_marks(where.kinds)})")
        result += where.kinds
    if where.pages:
        parts.append("u.page BETWEEN ? AND ?")
        result += where.pages
    document, document_values = _document_condition(where)
    if document:
        parts.append(
            "u.document_id IN (SELECT d.id FROM documents d WHERE d.namespace = ?"
            f" AND {' AND '.join(document)})"
        )
        result += [namespace, *document_values]
    return " AND ".join(parts), result


def _document_condition(where: Filter) -> tuple[list[str], list[Any]]:
    parts: list[str] = []
    values: list[Any] = []
    if where.paths:
        parts.append("(" + " OR ".join(["d.path GLOB ?"] * len(where.paths)) + ")")
        values += where.paths
    if where.media_types:
        parts.append(f"d.media_type IN ({_marks(where.media_types)})")
        values += where.media_types
    if where.after:
        parts.append("d.date >= ?")
        values.append(where.after)
    if where.before:
        parts.append("d.date <> '' AND d.date < ?")
        values.append(where.before)
    if where.tags:
        parts.append(
            "d.id IN (SELECT g.document_id FROM tags g WHERE g.namespace = d.namespace"
            f" AND g.tag IN ({_marks(where.tags)}))"
        )
        values += where.tags
    return parts, values


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _remove(db: sqlite3.Connection, namespace: str, document_ids: Sequence[str]) -> int:
    removed = 0
    for document_id in document_ids:
        key = (namespace, document_id)
        chosen = "SELECT number FROM units WHERE namespace = ? AND document_id = ?"
        for level in LEVELS:
            db.execute(
                f"DELETE FROM {level}_text WHERE rowid IN ({chosen} AND level = ?)", (*key, level)
            )
        db.execute(f"DELETE FROM vectors WHERE number IN ({chosen})", key)
        db.execute("DELETE FROM units WHERE namespace = ? AND document_id = ?", key)
        db.execute("DELETE FROM tags WHERE namespace = ? AND document_id = ?", key)
        cursor = db.execute("DELETE FROM documents WHERE namespace = ? AND id = ?", key)
        removed += cursor.rowcount
    return removed


def _insert_document(db: sqlite3.Connection, namespace: str, document: DocumentRecord) -> None:
    db.execute(
        "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
        (
            namespace,
            document.id,
            document.path,
            document.media_type,
            document.date,
            json.dumps(asdict(document)),
        ),
    )
    db.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)",
        [(namespace, document.id, tag) for tag in document.tags],
    )


def _insert_unit(db: sqlite3.Connection, namespace: str, unit: Unit, vector: Vector | None) -> None:
    extra = {name: getattr(unit, name) for name in _EXTRA}
    cursor = db.execute(
        "INSERT INTO units (namespace, document_id, id, level, kind, page, text, extra)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            namespace,
            unit.document_id,
            unit.id,
            unit.level,
            unit.kind,
            unit.page,
            unit.text,
            json.dumps({name: value for name, value in extra.items() if value}),
        ),
    )
    db.execute(
        f"INSERT INTO {unit.level}_text (rowid, head, body, refs) VALUES (?, ?, ?, ?)",
        (cursor.lastrowid, unit.head, unit.body, unit.refs),
    )
    if vector is not None:
        blob = np.asarray(vector, dtype=np.float32).tobytes()
        db.execute("INSERT INTO vectors VALUES (?, ?)", (cursor.lastrowid, blob))


def _unit(row: Sequence[Any]) -> Unit:
    extra = json.loads(row[6])
    box, size = extra.get("box"), extra.get("page_size")
    return Unit(
        id=row[0],
        document_id=row[1],
        level=row[2],
        kind=row[3],
        page=row[4],
        text=row[5],
        head=row[7],
        body=row[8],
        refs=row[9],
        label=extra.get("label", ""),
        caption=extra.get("caption", ""),
        headings=tuple(extra.get("headings", ())),
        box=Box(*box) if box else None,
        page_size=(size[0], size[1]) if size else None,
        start=extra.get("start", 0.0 if "end" in extra else None),
        end=extra.get("end"),
        origin=extra.get("origin", "layer"),
    )


def _document(text: str) -> DocumentRecord:
    record = json.loads(text)
    record["tags"] = tuple(record["tags"])
    record["notes"] = tuple(record["notes"])
    return DocumentRecord(**record)
