"""The chat routes: completions, and the status path for replies that take their time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiohttp import web

from langchain_kimi.testing import faults
from langchain_kimi.testing.cache import PrefixCache
from langchain_kimi.testing.compose import compose
from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.director import Director
from langchain_kimi.testing.failures import ErrorReply
from langchain_kimi.testing.performance import Performance, part_of
from langchain_kimi.testing.record import Exchange
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import Reply
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.responses import Route, error_response, failure_response
from langchain_kimi.testing.script import Part, Place, Turn
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.uploads import Uploads
from langchain_kimi.testing.wire import ConnectionCutError, drop_connection

STATUS_PATHS = ("/v1/status/{id}", "/v2/nvcf/pexec/status/{id}")


@dataclass
class Pending:
    """A reply that is being made: what it will be, and how many polls it takes."""

    request: ChatRequest
    parts: Sequence[Part]
    fingerprint: str
    polls: int


def with_faults(turn: Turn, faults_of_server: Iterable[Part]) -> list[Part]:
    """Add the server's faults to a turn: those that end a reply behind its own parts."""
    of_server = list(faults_of_server)
    before = [fault for fault in of_server if fault.place is not Place.LAST]
    behind = [fault for fault in of_server if fault.place is Place.LAST]
    return [*before, *turn.parts, *behind]


class ChatRoutes:
    """Answers chat requests."""

    def __init__(
        self,
        dialect: Dialect,
        settings: Settings,
        director: Director,
        uploads: Uploads,
        closing: asyncio.Event,
    ) -> None:
        self._dialect = dialect
        self._settings = settings
        self._director = director
        self._uploads = uploads
        self._closing = closing
        self._cache = PrefixCache()
        self._pending: dict[str, Pending] = {}

    def table(self) -> list[Route]:
        """List the routes."""
        status = [("GET", path, self.status) for path in STATUS_PATHS]
        return [("POST", "/v1/chat/completions", self.chat), *status]

    async def chat(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        """Answer a chat request."""
        if not isinstance(exchange.body, dict):
            raise Refusal(400, "The request body is not a JSON object.")
        request = ChatRequest(exchange.body)
        self._dialect.check(request, self._settings, self._uploads)
        parallel = self._dialect.takes_parallel_calls(request, self._settings)
        turn, fingerprint = self._director.turn_for(request, parallel=parallel)
        parts = with_faults(turn, self._settings.faults)
        accepted = part_of(parts, faults.Accepted)
        pending = Pending(request, parts, fingerprint, accepted.polls if accepted else 0)
        if accepted is None:
            return await self._perform(http, pending)
        request_id = self._director.new_id()
        self._pending[request_id] = pending
        return _still_running(request_id)

    async def status(self, http: web.Request, _exchange: Exchange) -> web.StreamResponse:
        """Answer a poll: still running, or the reply."""
        request_id = http.match_info["id"]
        pending = self._pending.get(request_id)
        if pending is None:
            raise Refusal(404, f"Request '{request_id}' not found")
        if pending.polls > 0:
            pending.polls -= 1
            return _still_running(request_id)
        del self._pending[request_id]
        return await self._perform(http, pending)

    async def _perform(self, http: web.Request, pending: Pending) -> web.StreamResponse:
        parts = pending.parts
        performance = Performance(http, self._dialect, self._settings, self._closing)
        hang = part_of(parts, faults.Hang)
        if hang:
            await performance.silence(hang.seconds)
        if part_of(parts, faults.Drop):
            drop_connection(http)
            raise ConnectionCutError
        failure = part_of(parts, ErrorReply)
        if failure:
            return failure_response(self._dialect, failure)
        request_id = self._director.new_id()
        reply = self._reply(pending, request_id)
        headers = self._dialect.response_headers(request_id)
        if pending.request.stream:
            return await performance.stream(reply, pending.request, parts, headers)
        broken = part_of(parts, faults.ErrorEvent)
        if broken:
            return error_response(self._dialect, Refusal(500, broken.message))
        return await performance.whole(reply, pending.request, parts, headers)

    def _reply(self, pending: Pending, request_id: str) -> Reply:
        cached = self._cache.cached_tokens(pending.request) if self._dialect.reports_cache else 0
        return compose(
            pending.parts,
            pending.request,
            self._dialect,
            reply_id=f"chatcmpl-{request_id}",
            created=self._director.now(),
            fingerprint=pending.fingerprint,
            cached=cached,
        )


def _still_running(request_id: str) -> web.Response:
    headers = {"NVCF-REQID": request_id, "NVCF-STATUS": "pending-evaluation"}
    return web.Response(status=202, headers=headers)
