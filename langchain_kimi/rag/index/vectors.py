"""Exact vector search: one numpy matrix, read again only when the index has changed."""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class VectorTable:
    """Vectors of an index in memory, normalised, in the order of their unit numbers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._generation: str | None = None
        self._numbers: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._matrix: Floats = np.empty((0, 0), dtype=np.float32)

    def search(
        self, db: sqlite3.Connection, query: Floats, allowed: NDArray[np.int64], k: int
    ) -> list[tuple[int, float]]:
        """Return the allowed unit numbers nearest to a vector, with the cosine."""
        numbers, matrix = self._load(db)
        if not len(numbers) or not len(allowed):
            return []
        rows = np.searchsorted(numbers, np.sort(allowed))
        rows = rows[rows < len(numbers)]
        norm = float(np.linalg.norm(query)) or 1.0
        chosen: Any = matrix if len(rows) == len(numbers) else matrix[rows]
        scores = chosen @ (query / norm)
        count = min(k, len(scores))
        best = np.argpartition(-scores, count - 1)[:count]
        best = best[np.argsort(-scores[best], kind="stable")]
        return [(int(numbers[rows[index]]), float(scores[index])) for index in best]

    def _load(self, db: sqlite3.Connection) -> tuple[NDArray[np.int64], Floats]:
        row = db.execute("SELECT value FROM meta WHERE key = 'generation'").fetchone()
        generation = row[0] if row else "0"
        with self._lock:
            if generation != self._generation:
                rows = db.execute("SELECT number, vector FROM vectors ORDER BY number").fetchall()
                self._numbers = np.array([number for number, _ in rows], dtype=np.int64)
                vectors = [np.frombuffer(blob, dtype=np.float32) for _, blob in rows]
                self._matrix = _normalised(vectors)
                self._generation = generation
            return self._numbers, self._matrix


def _normalised(vectors: list[Floats]) -> Floats:
    if not vectors:
        return np.empty((0, 0), dtype=np.float32)
    matrix = np.vstack(vectors)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    norms[norms == 0] = 1.0
    matrix /= norms
    return matrix
