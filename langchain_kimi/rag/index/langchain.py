"""Vectors in any LangChain vector store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from itertools import pairwise

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore

from langchain_kimi.rag.index.engine import Entry, Scope
from langchain_kimi.rag.index.store import Vector

OpenStore = Callable[[str, Embeddings], VectorStore]
_QUERY = "query"


class LangChainEngine:
    """Adapts a vector store, one collection for each tenant.

    A vector store embeds by itself; it is given embeddings that hand out vectors which are known
    already. It is asked for the nearest vectors without a filter, since each store has a
    language of its own for them; the catalogue filters.

    Args:
        open_store: Opens the collection of that name with these embeddings, for example
            `lambda name, embeddings: Chroma(name, embeddings, persist_directory="vectors")`.
    """

    def __init__(self, open_store: OpenStore) -> None:
        self._open_store = open_store
        self._opened: dict[str, tuple[VectorStore, _Known]] = {}
        self._lock = threading.Lock()

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        """Add a document for each entry; its text is its key."""
        store, known = self._collection(collection)
        documents = [Document(id=entry.key, page_content=entry.key) for entry in entries]
        with self._lock:
            known.vectors = {entry.key: _unit(entry.vector) for entry in entries}
            store.add_documents(documents, ids=[entry.key for entry in entries])
            known.vectors = {}

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        """Delete by key what the store still holds."""
        store, _ = self._collection(collection)
        with self._lock:
            held = _held(store, keys)
            if held:
                store.delete(held)

    def nearest(
        self, collection: str, vector: Vector, scope: Scope, k: int
    ) -> list[tuple[str, float]]:
        """Return the nearest keys of all levels; a distance becomes a negative score."""
        store, known = self._collection(collection)
        with self._lock:
            known.vectors = {_QUERY: _unit(vector)}
            found = store.similarity_search_with_score(_QUERY, k=k)
            known.vectors = {}
        scores = [float(score) for _, score in found]
        sign = -1.0 if any(before < after for before, after in pairwise(scores)) else 1.0
        keys = [document.page_content for document, _ in found]
        return [(key, sign * score) for key, score in zip(keys, scores, strict=True)]

    def close(self) -> None:
        """Forget the stores; whoever opened what they use closes it."""

    def _collection(self, name: str) -> tuple[VectorStore, _Known]:
        with self._lock:
            if name not in self._opened:
                known = _Known()
                self._opened[name] = (self._open_store(name, known), known)
            return self._opened[name]


class _Known(Embeddings):
    """Hands out the vectors of the keys that are being written or asked for."""

    def __init__(self) -> None:
        self.vectors: dict[str, list[float]] = {}

    def embed_query(self, text: str) -> list[float]:
        return self.vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.vectors[text] for text in texts]


def _held(store: VectorStore, keys: Sequence[str]) -> list[str]:
    """Leave out keys that are gone, which some stores refuse to delete."""
    try:
        return [document.page_content for document in store.get_by_ids(list(keys))]
    except NotImplementedError:
        return list(keys)


def _unit(vector: Vector) -> list[float]:
    """Return a vector of length one: cosine, product and distance then rank alike."""
    length = sum(number * number for number in vector) ** 0.5 or 1.0
    return [float(number) / length for number in vector]
