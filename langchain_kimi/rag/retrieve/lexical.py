"""Scores of pages for a question, from full-text search on three levels."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from langchain_kimi.rag.index.records import Filter, Hit, Level, Unit
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.retrieve.question import Question
from langchain_kimi.rag.retrieve.weights import Weights
from langchain_kimi.rag.text import pairs

PageKey = tuple[str, int]
_DEPTH = 200
_DOCUMENTS = 100
_REFERENCED_DOCUMENTS = 12
_WHOLE_DOCUMENTS = 3
_WHOLE_PAGES = 500
_BATCH = 400


@dataclass
class Candidates:
    """Pages that may hold the answer, with what speaks for each."""

    pages: dict[PageKey, Unit] = field(default_factory=dict)
    chunks: dict[PageKey, list[Hit]] = field(default_factory=lambda: defaultdict(list))
    scores: dict[PageKey, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, parts: Mapping[PageKey, float], weight: float) -> None:
        """Add a part of the score, scaled so that its best page gets the whole weight."""
        best = max(parts.values(), default=0.0)
        if best > 0:
            for key, value in parts.items():
                self.scores[key] += weight * value / best


def key_of(unit: Unit) -> PageKey:
    """Return the page that a unit stands on."""
    return unit.document_id, unit.page


def lexical_candidates(
    store: Store, namespace: str, question: Question, where: Filter, weights: Weights
) -> Candidates:
    """Collect and score the pages of a namespace for a question."""
    found = Candidates()
    documents = _document_scores(store, namespace, question, where)
    page_scores = _level(store, namespace, question, where, weights, "page", found)
    chunk_scores = _level(store, namespace, question, where, weights, "chunk", found)
    found.add(page_scores, weights.page)
    found.add(chunk_scores, weights.chunk)
    _add_referenced(store, namespace, question, where, documents, found)
    if 0 < len(where.documents) <= _WHOLE_DOCUMENTS:
        _add_all(store, namespace, where, found)
    load_pages(store, namespace, found, list(found.chunks))
    _add_pairs(question, weights, found)
    best = max(documents.values(), default=0.0)
    for key, unit in found.pages.items():
        if best > 0:
            found.scores[key] += weights.document * documents.get(key[0], 0.0) / best
        found.scores[key] += reference_score(question, unit, weights)
    return found


def _document_scores(
    store: Store, namespace: str, question: Question, where: Filter
) -> dict[str, float]:
    whole = replace(where, kinds=(), pages=None)
    hits = store.search(namespace, level="document", text=question.words, where=whole, k=_DOCUMENTS)
    return {hit.unit.document_id: hit.score for hit in hits}


def _level(
    store: Store,
    namespace: str,
    question: Question,
    where: Filter,
    weights: Weights,
    level: Level,
    found: Candidates,
) -> dict[PageKey, float]:
    """Search a level with the question's words and with their expansion; keep the best a page."""
    if level == "page":
        where = replace(where, kinds=())
    scores: dict[PageKey, float] = defaultdict(float)
    units: dict[str, tuple[Unit, float]] = {}
    for words, weight in ((question.words, 1.0), (question.expansion, weights.expansion)):
        for hit in store.search(namespace, level=level, text=words, where=where, k=_DEPTH):
            before = units.get(hit.unit.id, (hit.unit, 0.0))[1]
            units[hit.unit.id] = (hit.unit, before + weight * hit.score)
    for unit, score in units.values():
        key = key_of(unit)
        scores[key] = max(scores[key], score)
        if level == "page":
            found.pages[key] = unit
        else:
            found.chunks[key].append(Hit(unit=unit, score=score))
    return scores


def _add_referenced(
    store: Store,
    namespace: str,
    question: Question,
    where: Filter,
    documents: Mapping[str, float],
    found: Candidates,
) -> None:
    """Add the pages that the question names, in the documents that fit it best."""
    refs = [*question.pages, *question.items]
    if not refs:
        return
    if not where.documents:
        best = sorted(documents, key=lambda name: -documents[name])[:_REFERENCED_DOCUMENTS]
        where = replace(where, documents=tuple(best))
    where = replace(where, kinds=())
    for hit in store.search(namespace, level="page", refs=refs, where=where, k=_DEPTH):
        found.pages.setdefault(key_of(hit.unit), hit.unit)


def _add_all(store: Store, namespace: str, where: Filter, found: Candidates) -> None:
    """Within few documents each page is a candidate, also one without the question's words."""
    first, last = where.pages or (1, _WHOLE_PAGES)
    span = replace(where, kinds=(), pages=(first, min(last, first + _WHOLE_PAGES - 1)))
    for unit in store.units(namespace, level="page", where=span):
        found.pages.setdefault(key_of(unit), unit)


def load_pages(store: Store, namespace: str, found: Candidates, keys: Iterable[PageKey]) -> None:
    """Fetch the units of pages that are not among the candidates yet."""
    missing = tuple(f"{name}:{page}" for name, page in keys if (name, page) not in found.pages)
    for start in range(0, len(missing), _BATCH):
        where = Filter(ids=missing[start : start + _BATCH])
        for unit in store.units(namespace, level="page", where=where):
            found.pages[key_of(unit)] = unit


def _add_pairs(question: Question, weights: Weights, found: Candidates) -> None:
    wanted = pairs(list(question.words))
    if not wanted:
        return
    on_page = {key: wanted & pairs(unit.body.split()) for key, unit in found.pages.items()}
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for present in on_page.values():
        for pair in present:
            counts[pair] += 1
    total = len(on_page)
    value = {pair: math.log(1 + total / max(counts[pair], 1)) for pair in wanted}
    whole = sum(value.values()) or 1.0
    for key, present in on_page.items():
        found.scores[key] += weights.pair * sum(value[pair] for pair in present) / whole


def reference_score(question: Question, unit: Unit, weights: Weights) -> float:
    """Score the page numbers, items and kinds of content that the question names."""
    refs = set(unit.refs.split())
    score = 0.0
    labels = [ref for ref in question.pages if ref.startswith("label:")]
    positions = [ref for ref in question.pages if ref.startswith("page:")]
    score += weights.label * any(ref in refs for ref in labels)
    score += weights.position * any(ref in refs for ref in positions)
    score += weights.item * _share(question.items, refs)
    score += weights.mention * _share([f"see:{ref}" for ref in question.items], refs)
    score += weights.kind * (question.wants_table and "has:table" in refs)
    score += weights.kind * (question.wants_figure and "has:figure" in refs)
    return score


def _share(wanted: Sequence[str], refs: set[str]) -> float:
    return float(sum(ref in refs for ref in wanted))
