"""The protocol of an engine for vectors beside the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from langchain_kimi.rag.index.records import Level
from langchain_kimi.rag.index.store import Vector


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A vector with what an engine can filter by."""

    key: str
    """Never used twice: another version of a document has other keys."""
    stamp: str
    """The version of the document that it belongs to."""
    level: Level
    kind: str
    page: int
    vector: Vector


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where an engine looks. It may return more: the catalogue checks each key.

    The strings are the catalogue's own; none of a caller's gets to an engine.
    """

    level: Level
    stamps: tuple[str, ...] | None = None
    """Versions of documents; None for all."""
    kinds: tuple[str, ...] = ()
    pages: tuple[int, int] | None = None


class VectorEngine(Protocol):
    """Keeps vectors in collections, one for each tenant.

    The names of collections, keys and stamps consist of ASCII letters, digits, `_` and `-`.
    """

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        """Add entries; make the collection on first use."""

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        """Remove entries; those that are not there do no harm."""

    def nearest(
        self, collection: str, vector: Vector, scope: Scope, k: int
    ) -> list[tuple[str, float]]:
        """Return the keys nearest to a vector by cosine, the best first, a higher score better."""

    def close(self) -> None:
        """Free what is open; the next call opens it again."""
