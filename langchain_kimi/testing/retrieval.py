"""The routes of NVIDIA's retrieval models: ``/v1/embeddings`` and the two names of ranking.

They are as strict as the NIM's reference says. There is no model behind them: a text's vector
counts its words, a picture's is drawn from its bytes, and a passage's rank counts the words that
it shares with the query.
"""

from __future__ import annotations

import base64
import hashlib
import math
import random
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from langchain_kimi.testing.images import decode_data_url, picture_format
from langchain_kimi.testing.record import Exchange
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.responses import Route

EMBEDDING = "nvidia/llama-nemotron-embed-vl-1b-v2"
RANKING = "nvidia/llama-nemotron-rerank-vl-1b-v2"
DIMENSION = 2048
MOST_PICTURES = 8
"""More pictures in one request are refused here; at NVIDIA the size of the request is bounded."""
MOST_TOKENS = 10_240
MOST_PASSAGES = 512

_EMBEDDING_FIELDS = {
    "input", "model", "input_type", "modality", "truncate", "encoding_format", "dimensions", "user"
}  # fmt: skip
_RANKING_FIELDS = {"model", "query", "passages", "truncate"}
_DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,\S+")
_WORD = re.compile(r"\w+")


class RetrievalRoutes:
    """Answers requests for embeddings and rankings."""

    def table(self) -> list[Route]:
        """List the routes."""
        hosted = f"/v1/retrieval/{RANKING}/reranking"
        return [
            ("POST", "/v1/embeddings", self.embeddings),
            ("POST", "/v1/ranking", self.ranking),
            ("POST", hosted, self.ranking),
        ]

    async def embeddings(self, _http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Embed texts and pictures."""
        body = _body(exchange, _EMBEDDING_FIELDS, EMBEDDING)
        inputs = [body["input"]] if isinstance(body.get("input"), str) else body.get("input")
        if not isinstance(inputs, list) or not inputs:
            raise Refusal(400, "`input` must be a string or a list of strings, not empty")
        if not all(isinstance(entry, str) and entry.strip() for entry in inputs):
            raise Refusal(400, "`input` must hold strings that are not empty")
        _check_kinds(body, inputs)
        dimension = body.get("dimensions", DIMENSION)
        if not isinstance(dimension, int) or not 0 < dimension <= DIMENSION:
            raise Refusal(400, f"`dimensions` must be from 1 to {DIMENSION}")
        encoded = body.get("encoding_format", "float") == "base64"
        vectors = [_vector(entry, dimension) for entry in inputs]
        data = [
            {"object": "embedding", "index": index, "embedding": _packed(vector, encoded)}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": sum(_tokens(entry) for entry in inputs)}
        usage["total_tokens"] = usage["prompt_tokens"]
        answer = {"object": "list", "data": data, "model": EMBEDDING, "usage": usage}
        return web.json_response(answer)

    async def ranking(self, _http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Rank passages, with or without a picture each, for a query."""
        body = _body(exchange, _RANKING_FIELDS, RANKING)
        query = body.get("query")
        if not isinstance(query, Mapping) or set(query) != {"text"} or not query["text"]:
            raise Refusal(400, "`query` must be an object with `text`")
        passages = body.get("passages")
        if not isinstance(passages, list) or not 0 < len(passages) <= MOST_PASSAGES:
            raise Refusal(400, f"`passages` must be a list of 1 to {MOST_PASSAGES}")
        words = set(_WORD.findall(str(query["text"]).lower()))
        rankings = [
            {"index": index, "logit": float(len(words & _passage_words(passage)))}
            for index, passage in enumerate(passages)
        ]
        rankings.sort(key=lambda entry: -entry["logit"])
        return web.json_response({"rankings": rankings})


def _body(exchange: Exchange, fields: set[str], model: str) -> Mapping[str, Any]:
    body = exchange.body
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    unknown = sorted(set(body) - fields)
    if unknown:
        names = ", ".join(f"`{name}`" for name in unknown)
        raise Refusal(400, f"Validation: Unsupported parameter(s): {names}")
    if body.get("model") != model:
        raise Refusal(404, f"Model {body.get('model')!r} not found")
    if body.get("truncate", "NONE") not in {"NONE", "START", "END"}:
        raise Refusal(400, "`truncate` must be NONE, START or END")
    return body


def _check_kinds(body: Mapping[str, Any], inputs: Sequence[str]) -> None:
    """Hold `input_type` and `modality` against what the inputs are."""
    if body.get("input_type", "passage") not in {"query", "passage"}:
        raise Refusal(400, "`input_type` must be query or passage")
    kinds = [_kind(entry) for entry in inputs]
    if body.get("input_type") == "query" and any(kind != "text" for kind in kinds):
        raise Refusal(400, "images are supported with `input_type` passage only")
    if sum(kind != "text" for kind in kinds) > MOST_PICTURES:
        raise Refusal(413, f"more than {MOST_PICTURES} images in one request")
    modality = body.get("modality", kinds)
    wanted = [modality] * len(kinds) if isinstance(modality, str) else modality
    if wanted != kinds:
        raise Refusal(400, f"`modality` is {modality!r}, the inputs are {kinds!r}")
    if body.get("truncate", "NONE") == "NONE" and max(map(_tokens, inputs)) > MOST_TOKENS:
        raise Refusal(400, f"an input has more than {MOST_TOKENS} tokens: set `truncate`")


def _kind(entry: str) -> str:
    urls = _DATA_URL.findall(entry)
    for url in urls:
        _check_picture(url)
    if not urls:
        return "text"
    return "text_image" if _DATA_URL.sub("", entry).strip() else "image"


def _check_picture(url: str) -> None:
    try:
        known = picture_format(decode_data_url(url))
    except ValueError as problem:
        raise Refusal(400, str(problem)) from problem
    if known not in {"png", "jpeg"}:
        raise Refusal(400, "images must be PNG or JPEG")


def _tokens(entry: str) -> int:
    return len(_WORD.findall(_DATA_URL.sub("", entry)))


def _vector(entry: str, dimension: int) -> list[float]:
    """Return a vector of length one: near for texts with the same words, equal for one picture."""
    vector = [0.0] * dimension
    for url in _DATA_URL.findall(entry):
        chooser = random.Random(hashlib.sha256(url.encode()).digest())  # noqa: S311 no secret
        vector = [value + chooser.gauss(0, 1) for value in vector]
    for word in _WORD.findall(_DATA_URL.sub("", entry).lower()):
        place = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % dimension
        vector[place] += 1.0
    length = math.hypot(*vector) or 1.0
    return [value / length for value in vector]


def _packed(vector: list[float], encoded: bool) -> list[float] | str:
    if not encoded:
        return vector
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _passage_words(passage: Any) -> set[str]:
    if not isinstance(passage, Mapping) or not set(passage) <= {"text", "image"}:
        raise Refusal(400, "a passage is an object with `text` and, optionally, `image`")
    if not isinstance(passage.get("text", ""), str):
        raise Refusal(400, "a passage's `text` must be a string")
    image = passage.get("image")
    if image is not None:
        if not isinstance(image, str) or not _DATA_URL.fullmatch(image):
            raise Refusal(400, "a passage's `image` must be a base64 data URL")
        _check_picture(image)
    if not passage.get("text") and image is None:
        raise Refusal(400, "a passage needs `text` or `image`")
    return set(_WORD.findall(passage.get("text", "").lower()))
