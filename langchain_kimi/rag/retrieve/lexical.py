"""Candidate pages for a question, from full-text search on three levels."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from langchain_kimi.rag.index.records import Filter, Hit, Level, Unit
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.retrieve.candidates import Candidates, PageKey, key_of, load_pages
from langchain_kimi.rag.retrieve.context import add_feedback
from langchain_kimi.rag.retrieve.documents import DocumentScores, score_documents
from langchain_kimi.rag.retrieve.phrases import add_pairs
from langchain_kimi.rag.retrieve.question import Question
from langchain_kimi.rag.retrieve.signs import sign_score
from langchain_kimi.rag.retrieve.weights import Weights

_DEPTH = 200
_REFERENCED_DOCUMENTS = 12
_WHOLE_DOCUMENTS = 3
_WHOLE_PAGES = 500


def lexical_candidates(
    store: Store, namespace: str, question: Question, where: Filter, weights: Weights
) -> Candidates:
    """Collect and score the pages of a namespace for a question."""
    found = Candidates()
    documents = score_documents(store, namespace, question, where)
    page_scores = _level(store, namespace, question, where, weights, "page", found)
    chunk_scores = _level(store, namespace, question, where, weights, "chunk", found)
    found.add(page_scores, weights.page)
    found.add(chunk_scores, weights.chunk)
    _add_referenced(store, namespace, question, where, documents, found)
    if 0 < len(where.documents) <= _WHOLE_DOCUMENTS:
        _add_all(store, namespace, where, found)
    load_pages(store, namespace, found, list(found.chunks))
    add_pairs(question.words, weights.pair, found)
    documents.add_to(found, weights)
    for key, unit in found.pages.items():
        found.scores[key] += sign_score(question, unit, weights)
    add_feedback(question.words, weights.feedback, found)
    return found


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
    documents: DocumentScores,
    found: Candidates,
) -> None:
    """Add the pages that the question names, in the documents that fit it best."""
    refs = [*question.pages, *question.items]
    if not refs:
        return
    if not where.documents:
        where = replace(where, documents=documents.best(_REFERENCED_DOCUMENTS))
    where = replace(where, kinds=())
    for hit in store.search(namespace, level="page", refs=refs, where=where, k=_DEPTH):
        found.pages.setdefault(key_of(hit.unit), hit.unit)


def _add_all(store: Store, namespace: str, where: Filter, found: Candidates) -> None:
    """Within few documents each page is a candidate, also one without the question's words."""
    first, last = where.pages or (1, _WHOLE_PAGES)
    span = replace(where, kinds=(), pages=(first, min(last, first + _WHOLE_PAGES - 1)))
    for unit in store.units(namespace, level="page", where=span):
        found.pages.setdefault(key_of(unit), unit)
