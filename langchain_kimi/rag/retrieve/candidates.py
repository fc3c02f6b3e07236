"""Pages that may hold the answer, with what speaks for each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from langchain_kimi.rag.index.records import Filter, Hit, Unit
from langchain_kimi.rag.index.store import Store

PageKey = tuple[str, int]
_BATCH = 400


@dataclass
class Candidates:
    """Pages by document and number, their matching chunks and their scores."""

    pages: dict[PageKey, Unit] = field(default_factory=dict)
    chunks: dict[PageKey, list[Hit]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[PageKey, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, parts: Mapping[PageKey, float], weight: float) -> None:
        """Add a part of the score, scaled so that its best page gets the whole weight."""
        best = max(parts.values(), default=0.0)
        if best > 0:
            for key, value in parts.items():
                self.scores[key] += weight * value / best

    def add_by_document(self, parts: Mapping[str, float], weight: float) -> None:
        """Add a part of the score that all pages of a document share, scaled in the same way."""
        self.add({key: parts.get(key[0], 0.0) for key in self.pages}, weight)

    def best(self, count: int) -> list[PageKey]:
        """Return the pages with the highest scores so far, the best first."""
        return sorted(self.pages, key=lambda key: (-self.scores[key], key))[:count]


def key_of(unit: Unit) -> PageKey:
    """Return the page that a unit stands on."""
    return unit.document_id, unit.page


def load_pages(store: Store, namespace: str, found: Candidates, keys: Iterable[PageKey]) -> None:
    """Fetch the units of pages that are not among the candidates yet."""
    missing = tuple(f"{name}:{page}" for name, page in keys if (name, page) not in found.pages)
    for start in range(0, len(missing), _BATCH):
        where = Filter(ids=missing[start : start + _BATCH])
        for unit in store.units(namespace, level="page", where=where):
            found.pages[key_of(unit)] = unit
