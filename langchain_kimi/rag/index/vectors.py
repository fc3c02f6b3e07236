"""Exact vector search: one numpy matrix, read again only when the index has changed."""

from __future__ import annotations

import sqlite3
import threading

import numpy as np
from numpy.typing import NDArray

from langchain_kimi.rag.index.records import Level

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
_NOTHING: tuple[Numbers, Floats] = (np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32))


class VectorTable:
    """Vectors of an index in memory, normalised, one matrix for each tenant and level."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation: str | None = None
        self._tables: dict[tuple[str, Level], tuple[Numbers, Floats]] = {}

    def search(
        self,
        db: sqlite3.Connection,
        query: Floats,
        namespace: str,
        level: Level,
        allowed: Numbers | None,
        k: int,
    ) -> list[tuple[int, float]]:
        """Return the unit numbers nearest to a vector, with the cosine.

        Args:
            db: The index.
            query: The vector.
            namespace: The tenant.
            level: The level.
            allowed: Numbers of units; None for all.
            k: How many.
        """
        numbers, matrix = self._table(db, namespace, level)
        if allowed is not None:
            rows = np.flatnonzero(np.isin(numbers, allowed))
            numbers, matrix = numbers[rows], matrix[rows]
        if not len(numbers):
            return []
        norm = float(np.linalg.norm(query)) or 1.0
        scores = matrix @ (query / norm)
        count = min(k, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(int(numbers[index]), float(scores[index])) for index in best]

    def _table(
        self, db: sqlite3.Connection, namespace: str, level: Level
    ) -> tuple[Numbers, Floats]:
        row = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        generation = row[0] if row else "0"
        with self._lock:
            if generation != self._generation:
                self._tables = {}
                self._generation = generation
            key = (namespace, level)
            if key not in self._tables:
                self._tables[key] = _read(db, namespace, level)
            return self._tables[key]


def _read(db: sqlite3.Connection, namespace: str, level: Level) -> tuple[Numbers, Floats]:
    rows = db.execute(
        "SELECT v.number, v.vector FROM vectors v JOIN units u ON u.number = v.number"
        " WHERE u.namespace = ? AND u.level = ? ORDER BY v.number",
        [namespace, level],
    ).fetchall()
    if not rows:
        return _NOTHING
    numbers = np.array([number for number, _ in rows], dtype=np.int64)
    matrix = np.frombuffer(b"".join(blob for _, blob in rows), dtype=np.float32)
    matrix = matrix.reshape(len(rows), -1)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    norms[norms == 0] = 1.0
    return numbers, matrix / norms
