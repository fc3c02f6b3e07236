"""Vectors in Milvus: a cluster, or Milvus Lite in a file for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from langchain_kimi.rag.index.engine import Entry, Scope
from langchain_kimi.rag.index.store import Vector

_MOST = 16_384  # what Milvus returns at most


class MilvusEngine:
    """The same code for a cluster and for Milvus Lite. Needs the extra `milvus`.

    Args:
        uri: The URL of a cluster, or a path that ends with `.db` for Milvus Lite, which only
            one process may open.
        token: `user:password` or an API key of the cluster.
        database: A database of the cluster.
        index_type: `AUTOINDEX` by default on a cluster and `FLAT` on Lite, whose other indexes
            lose matches under a filter.
    """

    def __init__(
        self,
        uri: str,
        *,
        token: SecretStr | str = "",
        database: str = "",
        index_type: str | None = None,
    ) -> None:
        self._uri = str(uri)
        self._token = token if isinstance(token, SecretStr) else SecretStr(token)
        self._database = database
        self._index_type = index_type or ("FLAT" if self._uri.endswith(".db") else "AUTOINDEX")
        self._client: Any = None

    def __repr__(self) -> str:
        return f"MilvusEngine({self._uri!r}, index_type={self._index_type!r})"

    def __getstate__(self) -> dict[str, Any]:
        kept = {"uri": self._uri, "database": self._database, "index_type": self._index_type}
        if self._token.get_secret_value():
            msg = "a MilvusEngine with a token is not pickled: make it where it is used"
            raise TypeError(msg)
        return kept

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        """Insert the entries."""
        client = self._connected()
        if not client.has_collection(collection):
            self._create(client, collection, len(entries[0].vector))
        client.insert(collection, [_row(entry) for entry in entries])

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        """Delete by key."""
        client = self._connected()
        if keys and client.has_collection(collection):
            client.delete(collection, ids=list(keys))

    def nearest(
        self, collection: str, vector: Vector, scope: Scope, k: int
    ) -> list[tuple[str, float]]:
        """Search among the rows that meet the scope."""
        client = self._connected()
        if not client.has_collection(collection):
            return []
        hits = client.search(
            collection,
            data=[[float(number) for number in vector]],
            limit=min(k, _MOST),
            filter=_where(scope),
            search_params={"metric_type": "COSINE"},
            consistency_level="Strong",
        )
        return [(hit["key"], float(hit["distance"])) for hit in hits[0]]

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self) -> Any:
        from pymilvus import MilvusClient

        if self._client is None:
            token = self._token.get_secret_value()
            self._client = MilvusClient(uri=self._uri, token=token, db_name=self._database)
        return self._client

    def _create(self, client: Any, collection: str, dimension: int) -> None:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.VARCHAR, max_length=64, is_primary=True)
        for name in ("stamp", "level", "kind"):
            schema.add_field(name, DataType.VARCHAR, max_length=64)
        schema.add_field("page", DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
        index = client.prepare_index_params()
        index.add_index("vector", index_type=self._index_type, metric_type="COSINE")
        client.create_collection(
            collection, schema=schema, index_params=index, consistency_level="Strong"
        )


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "key": entry.key,
        "stamp": entry.stamp,
        "level": entry.level,
        "kind": entry.kind,
        "page": entry.page,
        "vector": [float(number) for number in entry.vector],
    }


def _where(scope: Scope) -> str:
    parts = [f"level in {_quoted([scope.level])}"]
    if scope.stamps is not None:
        parts.append(f"stamp in {_quoted(scope.stamps)}")
    if scope.kinds:
        parts.append(f"kind in {_quoted(scope.kinds)}")
    if scope.pages is not None:
        first, last = scope.pages
        parts.append(f"page >= {int(first)} and page <= {int(last)}")
    return " and ".join(parts)


def _quoted(values: Sequence[str]) -> str:
    """Return a list of strings; Milvus Lite has no parameters of filters."""
    return json.dumps(list(values))
