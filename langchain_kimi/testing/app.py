"""The application: every route recorded, authorised, and refused in the dialect's shape."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from langchain_kimi.testing.catalog import CatalogRoutes
from langchain_kimi.testing.chat import ChatRoutes
from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.director import Director
from langchain_kimi.testing.files import FileRoutes
from langchain_kimi.testing.record import Exchange, Recorder
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.responses import Answer, Route, error_response
from langchain_kimi.testing.retrieval import RetrievalRoutes
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.uploads import Uploads
from langchain_kimi.testing.wire import ConnectionCutError

MAX_BODY = 1024**3
_WITH_RETRIEVAL = ("nvidia", "vllm")  # the catalog, and containers of NIM

logger = logging.getLogger(__name__)


class App:
    """Answers requests in one dialect."""

    def __init__(
        self, dialect: Dialect, settings: Settings, director: Director, recorder: Recorder
    ) -> None:
        self.closing = asyncio.Event()
        self._dialect = dialect
        self._settings = settings
        self._recorder = recorder
        uploads = Uploads()
        files = FileRoutes(dialect, director, uploads)
        self._signed: list[Route] = files.signed()
        self._routes: list[Route] = [
            *ChatRoutes(dialect, settings, director, uploads, self.closing).table(),
            *CatalogRoutes(dialect, settings, director).table(),
            *files.table(),
            *(RetrievalRoutes().table() if dialect.name in _WITH_RETRIEVAL else []),
            ("*", "/{path:.*}", _unknown),
        ]

    def application(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(client_max_size=MAX_BODY)
        for method, path, answer in self._signed:
            app.router.add_route(method, path, self._handler(answer))
        for method, path, answer in self._routes:
            app.router.add_route(method, path, self._handler(self._authorized(answer)))
        return app

    def _authorized(self, answer: Answer) -> Answer:
        """Ask for the key first; a signed address stands without it."""

        async def authorized(http: web.Request, exchange: Exchange) -> web.StreamResponse:
            self._authorize(http)
            return await answer(http, exchange)

        return authorized

    def _handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(http: web.Request) -> web.StreamResponse:
            exchange = self._recorder.begin(http, await _read_body(http))
            outcome = "client_left"
            try:
                response = await self._answer(answer, http, exchange)
                outcome = "finished"
            except ConnectionCutError:
                outcome = "cut"
                response = web.Response()
            except ConnectionResetError:
                response = web.Response()
            finally:
                self._recorder.end(exchange, outcome)
            return response

        return handle

    async def _answer(
        self, answer: Answer, http: web.Request, exchange: Exchange
    ) -> web.StreamResponse:
        try:
            response = await answer(http, exchange)
        except Refusal as refusal:
            response = error_response(self._dialect, refusal)
        except (ConnectionCutError, ConnectionResetError):
            raise
        except Exception as mistake:
            logger.exception("The scripted endpoint failed to answer %s", exchange.path)
            text = f"{type(mistake).__name__}: {mistake}"
            response = error_response(self._dialect, Refusal(500, text))
        exchange.status = response.status
        return response

    def _authorize(self, http: web.Request) -> None:
        expected = self._settings.api_key
        if expected is None:
            return
        given = http.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
            raise Refusal(401)


async def _unknown(http: web.Request, _exchange: Exchange) -> web.StreamResponse:
    raise Refusal(404, f"No route {http.method} {http.path}")


async def _read_body(http: web.Request) -> Any:
    """Read a body: JSON where it is JSON, bytes where not, None where there is none.

    A multipart body is left for its route to read.
    """
    if http.content_type.startswith("multipart/"):
        return None
    data = await http.read()
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data
