"""Scores of pages from vectors, of texts and of pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from langchain_core.embeddings import Embeddings
from PIL import Image

from langchain_kimi.rag.embeddings.pictures import PictureEmbeddings
from langchain_kimi.rag.index.records import Filter, Hit, Level
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.retrieve.candidates import Candidates, PageKey, key_of, load_pages
from langchain_kimi.rag.retrieve.weights import Weights

_DEPTH = 100


def add_dense(
    store: Store,
    namespace: str,
    embeddings: Embeddings,
    question: str,
    picture: Image.Image | None,
    where: Filter,
    weights: Weights,
    found: Candidates,
) -> None:
    """Add what the vectors say: chunks for a text, page pictures for both where there are any."""
    sees = isinstance(embeddings, PictureEmbeddings)
    if question.strip():
        vector = embeddings.embed_query(question)
        _add(store, namespace, vector, "chunk", where, weights.dense, found)
        if sees:
            _add(store, namespace, vector, "page", where, weights.picture, found)
    if picture is not None and isinstance(embeddings, PictureEmbeddings):
        vector = embeddings.embed_pictures([picture])[0]
        _add(store, namespace, vector, "page", where, weights.by_picture, found)


def _add(
    store: Store,
    namespace: str,
    vector: Sequence[float],
    level: Level,
    where: Filter,
    weight: float,
    found: Candidates,
) -> None:
    narrowed = replace(where, kinds=()) if level == "page" else where
    hits = store.search(namespace, level=level, dense=vector, where=narrowed, k=_DEPTH)
    best: dict[PageKey, float] = {}
    for hit in hits:
        key = key_of(hit.unit)
        best[key] = max(best.get(key, hit.score), hit.score)
    if level == "chunk":
        _add_chunks(hits, found)
    load_pages(store, namespace, found, list(best))
    low = min(best.values(), default=0.0)
    span = max(best.values(), default=0.0) - low
    # A lone hit, or several that are equal, count in full.
    found.add({key: value - low if span else 1.0 for key, value in best.items()}, weight)


def _add_chunks(hits: Sequence[Hit], found: Candidates) -> None:
    """Let matching chunks be shown, without a score of the full text."""
    known: dict[PageKey, set[str]] = defaultdict(set)
    for key, chunks in found.chunks.items():
        known[key] = {hit.unit.id for hit in chunks}
    for hit in hits:
        key = key_of(hit.unit)
        if hit.unit.id not in known[key]:
            found.chunks[key].append(replace(hit, score=0.0))
