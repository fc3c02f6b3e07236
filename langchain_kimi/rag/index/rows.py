"""Documents and units as rows of SQLite."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord, Unit

UNIT = "u.id, u.document_id, u.level, u.kind, u.page, u.text, u.extra, u.head, u.body, u.refs"
_FOUND = UNIT.replace("u.body", "CASE u.level WHEN 'document' THEN '' ELSE u.body END")
"""What a search returns: the words of a whole document are many, and nobody reads them."""
_LEAST_PACKED = 200
_EXTRA = ("label", "caption", "headings", "box", "page_size", "start", "end", "origin")


def insert_document(db: sqlite3.Connection, namespace: str, document: DocumentRecord) -> int:
    """Add a document with its tags; return its number."""
    record = json.dumps(asdict(document))
    cursor = db.execute(
        "INSERT INTO documents (namespace, id, path, media_type, date, record)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (namespace, document.id, document.path, document.media_type, document.date, record),
    )
    db.executemany(
        "INSERT OR IGNORE INTO tags VALUES (?, ?, ?)",
        [(namespace, document.id, tag) for tag in document.tags],
    )
    return int(cursor.lastrowid or 0)


def insert_units(db: sqlite3.Connection, namespace: str, units: Sequence[Unit]) -> range:
    """Add units; return their numbers."""
    first = db.execute("SELECT coalesce(max(number), 0) + 1 FROM units").fetchone()[0]
    numbers = range(first, first + len(units))
    db.executemany(
        f"INSERT INTO units VALUES ({', '.join('?' * 12)})",
        [_unit_row(number, namespace, unit) for number, unit in zip(numbers, units, strict=True)],
    )
    return numbers


def _unit_row(number: int, namespace: str, unit: Unit) -> tuple[Any, ...]:
    extra = {name: value for name in _EXTRA if (value := getattr(unit, name))}
    return (
        number,
        namespace,
        unit.document_id,
        unit.id,
        unit.level,
        unit.kind,
        unit.page,
        unit.head,
        unit.body if unit.level == "document" else _packed(unit.body),
        unit.refs,
        _packed(unit.text),
        json.dumps(extra),
    )


def read_units(db: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Unit]:
    """Return units by their numbers; those that are gone are left out."""
    wanted = json.dumps([int(number) for number in numbers])
    rows = db.execute(
        f"SELECT {_FOUND}, u.number FROM units u"
        " WHERE u.number IN (SELECT value FROM json_each(?))",
        [wanted],
    )
    return {row[-1]: unit_of(row) for row in rows}


def unit_of(row: Sequence[Any]) -> Unit:
    """Return the unit of a row of `UNIT`."""
    extra = json.loads(row[6])
    box, size = extra.get("box"), extra.get("page_size")
    return Unit(
        id=row[0],
        document_id=row[1],
        level=row[2],
        kind=row[3],
        page=row[4],
        text=_unpacked(row[5]),
        head=row[7],
        body=_unpacked(row[8]),
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


def _packed(text: str) -> str | bytes:
    """Compress what is long: texts are most of an index."""
    return text if len(text) < _LEAST_PACKED else zlib.compress(text.encode(), 1)


def _unpacked(value: str | bytes) -> str:
    return value if isinstance(value, str) else zlib.decompress(value).decode()


def document_of(text: str) -> DocumentRecord:
    """Return the document of a stored record."""
    record = json.loads(text)
    record["tags"] = tuple(record["tags"])
    record["notes"] = tuple(record["notes"])
    return DocumentRecord(**record)
