"""NVIDIA's reranking model for texts and pictures, hosted or as a NIM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image
from pydantic import SecretStr

from langchain_kimi.rag.embeddings.pictures import data_url
from langchain_kimi.rag.errors import RerankError
from langchain_kimi.rag.nvidia import RERANKING, connect
from langchain_kimi.rag.rerank.reranker import excerpt, page_picture
from langchain_kimi.rag.retrieve.search import Found

MODEL = "nvidia/llama-nemotron-rerank-vl-1b-v2"
_BATCH = 8
_EMPTY = "(no text)"


class NemotronReranker:
    """Scores each page by itself, its text together with its picture.

    Args:
        model: Its name.
        base_url: The address of a NIM with its `/v1`; by default NVIDIA's own.
        api_key: By default `NVIDIA_API_KEY`.
        pictures: Whether the model sees the pages, not their text alone.
        max_retries: Repetitions of a request that failed.
    """

    def __init__(
        self,
        model: str = MODEL,
        *,
        base_url: str | None = None,
        api_key: SecretStr | str | None = None,
        pictures: bool = True,
        max_retries: int = 5,
    ) -> None:
        self.model = model
        self._path = f"{model}/reranking" if base_url is None else "ranking"
        self._transport = connect(base_url or RERANKING, api_key, max_retries)
        self._pictures = pictures

    def __repr__(self) -> str:
        return f"NemotronReranker({self.model!r})"

    def __call__(
        self, question: str, pages: Sequence[Found], picture: Image.Image | None = None, /
    ) -> list[Found]:
        """Return all pages, the best first; without a question, as they came.

        Raises:
            RerankError: If the server did not rank what it was given.
        """
        if not question.strip():
            return list(pages)
        scores: list[float] = []
        for start in range(0, len(pages), _BATCH):
            scores += self._scores(question, pages[start : start + _BATCH])
        places = sorted(range(len(pages)), key=lambda place: -scores[place])
        return [pages[place] for place in places]

    def _scores(self, question: str, pages: Sequence[Found]) -> list[float]:
        body = {
            "model": self.model,
            "query": {"text": question},
            "passages": [self._passage(page) for page in pages],
            "truncate": "END",
        }
        rankings = self._transport.post(self._path, body).data.get("rankings")
        entries = rankings if isinstance(rankings, list) else []
        scores = {entry.get("index"): entry.get("logit") for entry in entries}
        found = [scores.get(place) for place in range(len(pages))]
        if not all(isinstance(score, int | float) for score in found):
            msg = f"the server did not rank all of {len(pages)} pages: is {self.model} there?"
            raise RerankError(msg)
        return [float(score) for score in found if score is not None]

    def _passage(self, page: Found) -> dict[str, Any]:
        passage = {"text": excerpt(page) or _EMPTY}
        drawn = page_picture(page) if self._pictures else None
        if drawn is not None:
            passage["image"] = data_url(drawn)
        return passage
