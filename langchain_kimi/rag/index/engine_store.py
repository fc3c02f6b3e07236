"""An index whose vectors lie in an engine of their own.

SQLite stays the catalogue: documents, units, full text, tenants and filters are there, and what
it does not list is not found. Vectors of a new version are written before the catalogue commits
to it, and those of the old one removed after: a process that is killed in between leaves entries
that are never returned and that a later write removes.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from langchain_kimi.rag.errors import StaleFileError
from langchain_kimi.rag.index import conditions
from langchain_kimi.rag.index.engine import Entry, Scope, VectorEngine
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Level, Unit, UnitKind
from langchain_kimi.rag.index.sqlite import SqliteStore
from langchain_kimi.rag.index.store import Vector

PATIENCE = 3_600.0
"""Seconds after which vectors without a commit count as left by a process that is gone."""
_MOST_STAMPS = 2_000


class EngineStore(SqliteStore):
    """A SQLite catalogue with its vectors in LanceDB, Milvus or a LangChain vector store."""

    def __init__(
        self, path: Path | str, engine: VectorEngine, *, patience: float = PATIENCE
    ) -> None:
        """Open an index.

        Args:
            path: The file of the catalogue.
            engine: Where the vectors lie; a `LanceEngine`, `MilvusEngine` or `LangChainEngine`.
            patience: Seconds a write may take before another process clears it away.
        """
        super().__init__(path)
        self._engine = engine
        self._patience = patience

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "engine": self._engine, "patience": self._patience}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["engine"], patience=state["patience"])  # type: ignore[misc]

    def upsert(
        self,
        namespace: str,
        document: DocumentRecord,
        units: Sequence[Unit],
        vectors: Sequence[Vector | None] | None = None,
    ) -> None:
        """Put a document in place of its old entries; readers see the old or the new ones."""
        stamp = uuid.uuid4().hex
        entries = _entries(stamp, units, vectors)
        if entries:
            with self._write() as db:
                row = (stamp, namespace, document.id, len(entries), "written", time.time())
                db.execute("INSERT INTO engine_stamps VALUES (?, ?, ?, ?, ?, ?)", row)
            self._engine.add(self._collection(namespace), list(entries.values()))
        with self._write() as db:
            if entries:
                _commit(db, stamp, document)
            _retire(db, namespace, document.id, stamp)
            numbers = self._replace(db, namespace, document, units)
            db.executemany(
                "INSERT INTO engine_keys VALUES (?, ?, ?)",
                [(numbers[place], entry.key, stamp) for place, entry in entries.items()],
            )
        self._clear()

    def delete(self, namespace: str, document_ids: Sequence[str]) -> int:
        """Remove documents from the catalogue, then from the engine."""
        with self._write() as db:
            for document_id in document_ids:
                _retire(db, namespace, document_id, "")
            removed = sum(self._remove(db, namespace, name) for name in document_ids)
        self._clear()
        return removed

    def close(self) -> None:
        """Close the catalogue and the engine."""
        super().close()
        self._engine.close()

    def _nearest(
        self, namespace: str, level: Level, dense: Vector, where: Filter | None, k: int
    ) -> list[tuple[int, float]]:
        """Ask the engine for more until enough of its answers stand in the catalogue."""
        scope = self._scope(namespace, level, where)
        if scope is None:
            return []
        asked = k
        while True:
            found = self._engine.nearest(self._collection(namespace), dense, scope, asked)
            known = self._known(namespace, level, where, [key for key, _ in found])
            kept = [(known[key], score) for key, score in found if key in known]
            if len(kept) >= k or len(found) < asked:
                return kept[:k]
            asked *= 4

    def _scope(self, namespace: str, level: Level, where: Filter | None) -> Scope | None:
        """Return what the engine can narrow; None when no document meets the filter."""
        where = where or Filter()
        kinds = tuple(kind for kind in where.kinds if kind in get_args(UnitKind))
        if where.kinds and not kinds:
            return None
        wanted = conditions.document_condition(namespace, where)
        stamps: tuple[str, ...] | None = None
        if wanted is not None:
            found = self._db().execute(
                "SELECT e.stamp FROM engine_stamps e WHERE e.namespace = ?"
                " AND e.state = 'current' AND e.document_id IN"
                f" (SELECT d.id FROM documents d WHERE {wanted[0]}) LIMIT {_MOST_STAMPS + 1}",
                [namespace, *wanted[1]],
            )
            stamps = tuple(row[0] for row in found)
            if not stamps:
                return None
            if len(stamps) > _MOST_STAMPS:
                stamps = None
        return Scope(level=level, stamps=stamps, kinds=kinds, pages=where.pages)

    def _known(
        self, namespace: str, level: Level, where: Filter | None, keys: Sequence[str]
    ) -> dict[str, int]:
        """Return the keys that stand in the catalogue of a tenant and meet a filter."""
        wanted, values = conditions.condition(namespace, level, where)
        found = self._db().execute(
            "SELECT e.key, e.number FROM engine_keys e JOIN units u ON u.number = e.number"
            f" WHERE e.key IN (SELECT value FROM json_each(?)) AND {wanted}",
            [json.dumps(list(keys)), *values],
        )
        return dict(found.fetchall())

    def _clear(self) -> None:
        """Remove from the engine what the catalogue no longer lists."""
        late = time.time() - self._patience
        db = self._db()
        if db.execute(
            "SELECT 1 FROM engine_stamps WHERE state = 'written' AND since <= ?", [late]
        ).fetchone():
            with self._write() as db:
                db.execute(
                    "UPDATE engine_stamps SET state = 'retired'"
                    " WHERE state = 'written' AND since <= ?",
                    [late],
                )
        retired = db.execute(
            "SELECT stamp, namespace, entries FROM engine_stamps WHERE state = 'retired'"
        )
        for stamp, namespace, entries in retired.fetchall():
            keys = [_key(stamp, place) for place in range(entries)]
            self._engine.remove(self._collection(namespace), keys)
            with self._write() as db:
                db.execute("DELETE FROM engine_stamps WHERE stamp = ?", [stamp])

    def _collection(self, namespace: str) -> str:
        """Return the name of a tenant's collection, of this index alone."""
        chosen = "SELECT value FROM meta WHERE key = 'index'"
        row = self._db().execute(chosen).fetchone()
        if row is None:
            with self._write() as db:
                db.execute("INSERT OR IGNORE INTO meta VALUES ('index', ?)", [uuid.uuid4().hex])
                row = db.execute(chosen).fetchone()
        return "kimi_" + hashlib.sha256(f"{row[0]}\n{namespace}".encode()).hexdigest()[:32]


def _key(stamp: str, place: int) -> str:
    return f"{stamp}-{place}"


def _entries(
    stamp: str, units: Sequence[Unit], vectors: Sequence[Vector | None] | None
) -> dict[int, Entry]:
    """Return the entries of the units that have a vector, by their places."""
    pairs = zip(units, vectors or [None] * len(units), strict=True)
    entries: dict[int, Entry] = {}
    for place, (unit, vector) in enumerate(pairs):
        if vector is not None:
            entries[place] = Entry(
                key=_key(stamp, len(entries)),
                stamp=stamp,
                level=unit.level,
                kind=unit.kind,
                page=unit.page,
                vector=vector,
            )
    return entries


def _commit(db: sqlite3.Connection, stamp: str, document: DocumentRecord) -> None:
    cursor = db.execute(
        "UPDATE engine_stamps SET state = 'current' WHERE stamp = ? AND state = 'written'", [stamp]
    )
    if not cursor.rowcount:
        msg = (
            f"the vectors of {document.path} took so long to write that another process cleared"
            " them away: ingest it again, or raise `patience`"
        )
        raise StaleFileError(msg)


def _retire(db: sqlite3.Connection, namespace: str, document_id: str, but: str) -> None:
    db.execute(
        "UPDATE engine_stamps SET state = 'retired' WHERE namespace = ? AND document_id = ?"
        " AND state = 'current' AND stamp <> ?",
        [namespace, document_id, but],
    )
