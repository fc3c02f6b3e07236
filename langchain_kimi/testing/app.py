"""The routes of the server."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from langchain_kimi.testing import faults
from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.director import Director
from langchain_kimi.testing.performance import Performance, part_of
from langchain_kimi.testing.record import Exchange, Recorder
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.reply import (
    Reply,
    finish_of,
    limited,
    reshapes_of,
    steps_of,
    usage_of,
)
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Part
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.wire import ConnectionCutError

MAX_BODY = 1024**3
STATUS_PATHS = ("/v1/status/{id}", "/v2/nvcf/pexec/status/{id}")

Answer = Callable[[web.Request, Exchange], Awaitable[web.StreamResponse]]


@dataclass
class Pending:
    """A reply that is still being made: what it will be, and how many polls it takes."""

    request: ChatRequest
    parts: list[Part]
    fingerprint: str
    polls: int


class App:
    """Answers requests in one dialect."""

    def __init__(
        self, dialect: Dialect, settings: Settings, director: Director, recorder: Recorder
    ) -> None:
        self._dialect = dialect
        self._settings = settings
        self._director = director
        self._recorder = recorder
        self._pending: dict[str, Pending] = {}
        self.closing = asyncio.Event()

    def routes(self) -> web.Application:
        """Make the aiohttp application."""
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/v1/chat/completions", self._handler(self._chat))
        app.router.add_get("/v1/models", self._handler(self._models))
        for path in STATUS_PATHS:
            app.router.add_get(path, self._handler(self._status))
        app.router.add_route("*", "/{path:.*}", self._handler(self._unknown))
        return app

    def _handler(self, answer: Answer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(http: web.Request) -> web.StreamResponse:
            exchange = self._recorder.begin(http, await _read_body(http))
            outcome = "client_left"
            try:
                response = await self._answer(answer, http, exchange)
                exchange.status = response.status
                outcome = "finished"
            except ConnectionCutError:
                outcome = "cut"
                response = web.Response()
            finally:
                self._recorder.end(exchange, outcome)
            return response

        return handle

    async def _answer(
        self, answer: Answer, http: web.Request, exchange: Exchange
    ) -> web.StreamResponse:
        try:
            self._authorize(http)
            return await answer(http, exchange)
        except Refusal as refusal:
            return self._error(refusal)

    def _authorize(self, http: web.Request) -> None:
        expected = self._settings.api_key
        if expected is None:
            return
        given = http.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {expected}".encode()):
            raise Refusal(401)

    async def _chat(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        if not isinstance(exchange.body, dict):
            raise Refusal(400, "The request body is no JSON object.")
        request = ChatRequest(exchange.body)
        self._dialect.check(request, self._settings)
        turn, fingerprint = self._director.turn_for(request)
        parts = [*self._settings.faults, *turn.parts]
        accepted = part_of(parts, faults.Accepted)
        if accepted:
            return self._accept(Pending(request, parts, fingerprint, accepted.polls))
        return await self._perform(http, Pending(request, parts, fingerprint, 0))

    def _accept(self, pending: Pending) -> web.Response:
        request_id = self._director.new_id()
        self._pending[request_id] = pending
        return self._still_running(request_id)

    def _still_running(self, request_id: str) -> web.Response:
        headers = {"NVCF-REQID": request_id, "NVCF-STATUS": "pending-evaluation"}
        return web.Response(status=202, headers=headers)

    async def _status(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        request_id = http.match_info["id"]
        pending = self._pending.get(request_id)
        if pending is None:
            raise Refusal(404, f"Request '{request_id}' not found")
        if pending.polls > 0:
            pending.polls -= 1
            return self._still_running(request_id)
        del self._pending[request_id]
        return await self._perform(http, pending)

    async def _perform(self, http: web.Request, pending: Pending) -> web.StreamResponse:
        parts = pending.parts
        performance = Performance(http, self._dialect, self._settings, self.closing)
        hang = part_of(parts, faults.Hang)
        if hang:
            await performance.silence(hang.seconds)
        if part_of(parts, faults.Drop):
            if http.transport is not None:
                http.transport.close()
            raise ConnectionCutError
        failure = part_of(parts, faults.ErrorReply)
        if failure:
            return self._scripted_error(failure)
        request_id = self._director.new_id()
        reply = self._compose(pending, request_id)
        headers = self._dialect.response_headers(request_id)
        if pending.request.stream:
            return await performance.stream(reply, pending.request, parts, headers)
        return await performance.whole(reply, parts, headers)

    def _compose(self, pending: Pending, request_id: str) -> Reply:
        request, parts = pending.request, pending.parts
        thinking = self._dialect.thinks(request)
        steps, cut_by = limited(steps_of(parts, request, thinking=thinking), request)
        return Reply(
            id=f"chatcmpl-{request_id}",
            created=self._director.now(),
            model=request.model,
            fingerprint=pending.fingerprint,
            steps=steps,
            finish_reason=finish_of(parts, steps, cut_by),
            usage=usage_of(steps, request),
            reshapes=reshapes_of(parts),
        )

    async def _models(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        listing = self._dialect.model_list(self._settings, self._director.now())
        return web.json_response(listing)

    async def _unknown(self, http: web.Request, exchange: Exchange) -> web.StreamResponse:
        raise Refusal(404, f"No route {http.method} {http.path}")

    def _error(self, refusal: Refusal) -> web.Response:
        body = self._dialect.error_body(refusal)
        headers = {"Content-Type": "application/json", **body.headers}
        return web.Response(status=refusal.status, text=body.text, headers=headers)

    def _scripted_error(self, failure: faults.ErrorReply) -> web.Response:
        body = self._dialect.error_body(Refusal(failure.status, failure.message, kind=failure.kind))
        headers = {"Content-Type": "application/json", **body.headers, **failure.headers}
        if failure.retry_after_header is not None:
            headers["Retry-After"] = failure.retry_after_header
        text = body.text if failure.body is None else failure.body
        return web.Response(status=failure.status, text=text, headers=headers)


async def _read_body(http: web.Request) -> Any:
    """Read a body: JSON where it is JSON, bytes where it is not, None where there is none."""
    data = await http.read()
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        return data
