"""Vectors in LanceDB: a folder on one node, or an object store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_kimi.rag.index.engine import Entry, Scope
from langchain_kimi.rag.index.store import Vector

_WRITES_BEFORE_COMPACTION = 64


class LanceEngine:
    """Searches exactly; over some 300,000 vectors make an index with LanceDB's `create_index`.

    Needs the extra `lancedb`.

    Args:
        uri: A folder, or a URL such as `s3://bucket/vectors`.
        storage_options: Options of the object store, handed to LanceDB.
    """

    def __init__(
        self, uri: Path | str, *, storage_options: Mapping[str, str] | None = None
    ) -> None:
        self._uri = str(uri)
        self._options = dict(storage_options or {})
        self._connection: Any = None
        self._writes = 0

    def __repr__(self) -> str:
        return f"LanceEngine({self._uri!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"uri": self._uri, "storage_options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        """Append the entries."""
        table = self._table(collection, dimension=len(entries[0].vector))
        table.add([_row(entry) for entry in entries])
        self._writes += 1
        if self._writes % _WRITES_BEFORE_COMPACTION == 0:
            table.optimize(cleanup_older_than=timedelta(hours=1))

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        """Delete by key."""
        table = self._table(collection)
        if table is not None and keys:
            table.delete(f"key IN ({_quoted(keys)})")

    def nearest(
        self, collection: str, vector: Vector, scope: Scope, k: int
    ) -> list[tuple[str, float]]:
        """Search among the rows that meet the scope."""
        table = self._table(collection)
        if table is None:
            return []
        table.checkout_latest()
        query = table.search(list(vector)).distance_type("cosine").where(_where(scope))
        found = query.select(["key", "_distance"]).limit(k).to_list()
        return [(row["key"], 1.0 - row["_distance"]) for row in found]

    def close(self) -> None:
        """Drop the connection."""
        self._connection = None

    def _table(self, collection: str, dimension: int | None = None) -> Any:
        import lancedb
        import pyarrow as pa

        if self._connection is None:
            self._connection = lancedb.connect(self._uri, storage_options=self._options or None)
        if dimension is None:
            try:
                return self._connection.open_table(collection)
            except ValueError:
                return None  # a tenant without vectors
        fields = [("key", pa.string()), ("stamp", pa.string()), ("level", pa.string())]
        fields += [("kind", pa.string()), ("page", pa.int32())]
        fields.append(("vector", pa.list_(pa.float32(), dimension)))
        return self._connection.create_table(collection, schema=pa.schema(fields), exist_ok=True)


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "stamp": entry.stamp,
        "level": entry.level,
        "kind": entry.kind,
        "page": entry.page,
        "vector": list(entry.vector),
    }


def _where(scope: Scope) -> str:
    parts = [f"level IN ({_quoted([scope.level])})"]
    if scope.stamps is not None:
        parts.append(f"stamp IN ({_quoted(scope.stamps)})")
    if scope.kinds:
        parts.append(f"kind IN ({_quoted(scope.kinds)})")
    if scope.pages is not None:
        first, last = scope.pages
        parts.append(f"page BETWEEN {int(first)} AND {int(last)}")
    return " AND ".join(parts)


def _quoted(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
