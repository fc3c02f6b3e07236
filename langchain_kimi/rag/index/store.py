"""The protocol that every engine of an index keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, IndexStats, Level, Unit

Vector = Sequence[float]


class Store(Protocol):
    """Holds documents and units by namespace; no call reaches into another namespace."""

    def upsert(
        self,
        namespace: str,
        document: DocumentRecord,
        units: Sequence[Unit],
        vectors: Sequence[Vector | None] | None = None,
    ) -> None:
        """Put a document in place of its old entries, in one step."""

    def delete(self, namespace: str, document_ids: Sequence[str]) -> int:
        """Remove documents with everything that belongs to them; return how many there were."""

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
        """Return the best units of a level.

        Exactly one of `text` (analysed tokens), `refs` (reference tokens) and `dense` is given.
        """

    def units(self, namespace: str, *, level: Level, where: Filter | None = None) -> list[Unit]:
        """Return all units of a level that meet a filter, in document and page order."""

    def documents(self, namespace: str, ids: Sequence[str] | None = None) -> list[DocumentRecord]:
        """Return the documents of a namespace, or those of some ids, by path."""

    def stats(self, namespace: str) -> IndexStats:
        """Count what a namespace holds."""

    def set_embedding(self, name: str, dimension: int) -> None:
        """Fix the embedding model of the index on first use.

        Raises:
            IndexMismatchError: If the index was made with another one.
        """

    def close(self) -> None:
        """Free what is open; the next call opens it again."""
