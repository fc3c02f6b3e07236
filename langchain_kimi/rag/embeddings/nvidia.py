"""NVIDIA's embedding model for texts and pictures, hosted or as a NIM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.embeddings import Embeddings
from PIL import Image
from pydantic import SecretStr

from langchain_kimi.rag.embeddings.pictures import data_url
from langchain_kimi.rag.errors import EmbeddingError
from langchain_kimi.rag.nvidia import CATALOG, connect

MODEL = "nvidia/llama-nemotron-embed-vl-1b-v2"
_TEXTS = 32
_PICTURES = 4
_EMPTY = "(empty)"


class NemotronEmbeddings(Embeddings):
    """Embeds texts and pictures into one space of 2,048 dimensions.

    Pictures go out as passages also when they ask, since the model takes them no other way.

    Args:
        model: Its name.
        base_url: The address of a NIM with its `/v1`; by default NVIDIA's catalog.
        api_key: By default `NVIDIA_API_KEY`.
        max_retries: Repetitions of a request that failed.
    """

    def __init__(
        self,
        model: str = MODEL,
        *,
        base_url: str = CATALOG,
        api_key: SecretStr | str | None = None,
        max_retries: int = 5,
    ) -> None:
        self.model = model
        self._transport = connect(base_url, api_key, max_retries)

    def __repr__(self) -> str:
        return f"NemotronEmbeddings({self.model!r})"

    def embed_query(self, text: str) -> list[float]:
        """Embed a question."""
        return self._embed([text.strip() or _EMPTY], "query", "text")[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed passages of text, some at a time."""
        wanted = [text if text.strip() else _EMPTY for text in texts]
        return [
            vector
            for start in range(0, len(wanted), _TEXTS)
            for vector in self._embed(wanted[start : start + _TEXTS], "passage", "text")
        ]

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        """Embed pictures, four at a time."""
        return [
            vector
            for start in range(0, len(pictures), _PICTURES)
            for vector in self._embed(
                [data_url(picture) for picture in pictures[start : start + _PICTURES]],
                "passage",
                "image",
            )
        ]

    def _embed(self, inputs: list[str], input_type: str, modality: str) -> list[list[float]]:
        reply = self._transport.post(
            "embeddings",
            {
                "model": self.model,
                "input": inputs,
                "input_type": input_type,
                "modality": modality,
                "encoding_format": "float",
                "truncate": "END",
            },
        )
        return _vectors(reply.data, len(inputs))


def _vectors(data: dict[str, Any], count: int) -> list[list[float]]:
    """Return the vectors of a reply in the order of the inputs."""
    entries = data.get("data")
    if isinstance(entries, list) and len(entries) == count:
        found = {entry.get("index"): entry.get("embedding") for entry in entries}
        vectors = [found.get(index) for index in range(count)]
        if all(isinstance(vector, list) and vector for vector in vectors):
            return [[float(value) for value in vector] for vector in vectors if vector]
    msg = f"the server was asked for {count} embeddings and did not return them: is {MODEL} there?"
    raise EmbeddingError(msg)
