"""Full text: an inverted index in SQLite, scored with BM25 in numpy.

Each document has one row for each of its terms, which lists the units with the term, how often
they have it and how long they are. A query reads the rows of its terms and adds up arrays; FTS5
visits each matching unit by itself, and each of them twice to count them. Statistics are a
tenant's own, so a score tells nothing about the documents of another one.
"""

from __future__ import annotations

import math
import sqlite3
import struct
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from langchain_kimi.rag.index.records import Level, Unit
from langchain_kimi.rag.index.schema import LEVELS

POSTING = np.dtype([("unit", "<u4"), ("count", "<u2"), ("length", "<u2")])
_pack = struct.Struct("<IHH").pack
_MOST = 65_535
_SATURATION, _LENGTH = 1.2, 0.75
_LEAST_VALUE = 1e-6
_SOFT_LENGTH = 0.3
Field = int


def field_of(level: Level, *, refs: bool) -> Field:
    """Return the number of the text or the references of a level."""
    return 2 * LEVELS.index(level) + refs


def add_postings(
    db: sqlite3.Connection, namespace: str, document: int, numbers: range, units: Sequence[Unit]
) -> None:
    """Add the units of a document."""
    tenant = _tenant(db, namespace)
    found: dict[tuple[Field, str], bytearray] = defaultdict(bytearray)
    for number, unit in zip(numbers, units, strict=True):
        fields = _fields(unit)
        length = min(sum(len(words) for _, words in fields), _MOST)
        for field, words in fields:
            for term, count in Counter(words).items():
                found[field, term] += _pack(number, min(count, _MOST), length)
    db.executemany(
        "INSERT INTO postings VALUES (?, ?, ?, ?, ?)",
        [(tenant, *key, document, found[key]) for key in sorted(found)],
    )
    _count(db, tenant, units, 1)


def remove_postings(
    db: sqlite3.Connection, namespace: str, document: int, units: Sequence[Unit]
) -> None:
    """Remove the units of a document, which tell their terms."""
    tenant = _tenant(db, namespace)
    terms = {(field, word) for unit in units for field, words in _fields(unit) for word in words}
    db.executemany(
        "DELETE FROM postings WHERE tenant = ? AND field = ? AND term = ? AND document = ?",
        [(tenant, field, term, document) for field, term in sorted(terms)],
    )
    _count(db, tenant, units, -1)


def rank(
    db: sqlite3.Connection,
    namespace: str,
    field: Field,
    terms: Iterable[str],
    *,
    documents: frozenset[int] | None = None,
    allowed: NDArray[np.int64] | None = None,
    k: int,
) -> list[tuple[int, float]]:
    """Return the numbers of the best units with their BM25, the best first.

    Args:
        db: The index.
        namespace: The tenant.
        field: Where to look.
        terms: Any of these.
        documents: Numbers of documents; None for all.
        allowed: Numbers of units; None for all.
        k: How many.
    """
    row = db.execute(
        "SELECT t.number, s.units, s.words FROM tenants t JOIN sizes s ON s.tenant = t.number"
        " WHERE t.namespace = ? AND s.level = ?",
        [namespace, field // 2],
    ).fetchone()
    if row is None or not row[1]:
        return []
    tenant, total, words = row
    units: list[NDArray[np.uint32]] = []
    values: list[NDArray[np.float64]] = []
    for term in terms:
        rows = db.execute(
            "SELECT document, data FROM postings WHERE tenant = ? AND field = ? AND term = ?",
            [tenant, field, term],
        ).fetchall()
        having = sum(len(data) for _, data in rows) // POSTING.itemsize
        kept = [data for document, data in rows if documents is None or document in documents]
        entries = np.frombuffer(b"".join(kept), dtype=POSTING)
        units.append(entries["unit"])
        soft = field == field_of("document", refs=False)
        values.append(_bm25(entries, having, total, words / total or 1.0, soft=soft))
    return _best(units, values, allowed, k)


def _bm25(
    entries: NDArray[np.void], having: int, total: int, mean: float, *, soft: bool
) -> NDArray[np.float64]:
    """Score a term in units; soft, for whole documents: a word that most have counts a little."""
    rarity = (total - having + 0.5) / (having + 0.5)
    value = math.log1p(rarity) if soft else max(math.log(rarity), _LEAST_VALUE)
    share = _SOFT_LENGTH if soft else _LENGTH
    count = entries["count"].astype(np.float64)
    length = 1 - share + share / mean * entries["length"]
    scores: NDArray[np.float64] = value * (_SATURATION + 1) * count / (count + _SATURATION * length)
    return scores


def _best(
    units: Sequence[NDArray[np.uint32]],
    values: Sequence[NDArray[np.float64]],
    allowed: NDArray[np.int64] | None,
    k: int,
) -> list[tuple[int, float]]:
    """Add up the values of each unit; of equal sums the lower number comes first."""
    if not any(len(some) for some in units):
        return []
    scores = np.bincount(np.concatenate(units), weights=np.concatenate(values))
    if allowed is not None:
        outside = np.ones(len(scores), dtype=bool)
        outside[allowed[allowed < len(scores)]] = False
        scores[outside] = 0.0
    found = np.flatnonzero(scores)
    if len(found) > k:
        least = np.partition(scores[found], len(found) - k)[len(found) - k]
        found = found[scores[found] >= least]
    best = found[np.argsort(-scores[found], kind="stable")][:k]
    return [(int(number), float(scores[number])) for number in best]


def _fields(unit: Unit) -> list[tuple[Field, list[str]]]:
    text = [*unit.head.split(), *unit.body.split()]
    return [
        (field_of(unit.level, refs=False), text),
        (field_of(unit.level, refs=True), unit.refs.split()),
    ]


def _length(unit: Unit) -> int:
    return sum(len(words) for _, words in _fields(unit))


def _tenant(db: sqlite3.Connection, namespace: str) -> int:
    db.execute("INSERT OR IGNORE INTO tenants (namespace) VALUES (?)", [namespace])
    row = db.execute("SELECT number FROM tenants WHERE namespace = ?", [namespace]).fetchone()
    return int(row[0])


def _count(db: sqlite3.Connection, tenant: int, units: Sequence[Unit], sign: int) -> None:
    counts: Counter[str] = Counter(unit.level for unit in units)
    words: Counter[str] = Counter()
    for unit in units:
        words[unit.level] += _length(unit)
    db.executemany(
        "INSERT INTO sizes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
        " SET units = units + excluded.units, words = words + excluded.words",
        [
            (tenant, LEVELS.index(level), sign * counts[level], sign * words[level])
            for level in sorted(counts)
        ],
    )
