"""The routes that list models and count tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.director import Director
from langchain_kimi.testing.record import Exchange
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.responses import Route
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.tokens import prompt_texts, prompt_tokens, token_ids


class CatalogRoutes:
    """Answers ``/v1/models``, ``/tokenize`` and ``/v1/tokenizers/estimate-token-count``."""

    def __init__(self, dialect: Dialect, settings: Settings, director: Director) -> None:
        self._dialect = dialect
        self._settings = settings
        self._director = director

    def table(self) -> list[Route]:
        """List the routes that this dialect has."""
        routes: list[Route] = [("GET", "/v1/models", self.models)]
        if self._dialect.name == "vllm":
            routes += [("POST", "/tokenize", self.tokenize), ("GET", "/health", self.health)]
        if self._dialect.name == "moonshot":
            routes.append(("POST", "/v1/tokenizers/estimate-token-count", self.estimate))
        return routes

    async def models(self, _http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """List the models."""
        listing = self._dialect.model_list(self._settings, self._director.now())
        return web.json_response(listing)

    async def health(self, _http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Say that the server lives."""
        return web.Response()

    async def tokenize(self, _http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Tokenize a prompt or a chat; the count is that of the usage."""
        body = _json_object(exchange)
        if isinstance(body.get("prompt"), str):
            tokens = token_ids(body["prompt"])
        else:
            tokens = [token for text in prompt_texts(body) for token in token_ids(text)]
            tokens += [0] * (prompt_tokens(body) - len(tokens))
        answer = {
            "count": len(tokens),
            "max_model_len": self._settings.context_window,
            "tokens": tokens,
            "token_strs": None,
        }
        return web.json_response(answer)

    async def estimate(self, _http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Count the tokens of a chat."""
        total = prompt_tokens(_json_object(exchange))
        return web.json_response({"data": {"total_tokens": total}})


def _json_object(exchange: Exchange) -> Mapping[str, Any]:
    if not isinstance(exchange.body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    return exchange.body
