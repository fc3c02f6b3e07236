"""One request over all its tries: sent until it is accepted, polled from then on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.async_client import AsyncBody, AsyncClient
from langchain_kimi.transport.reply import Reply, decode_object
from langchain_kimi.transport.server import Headers, Server
from langchain_kimi.transport.sync_client import SyncBody, SyncClient

FIRST_POLL = 0.1
LONGEST_POLL = 2.0
"""Seconds between two looks at a request that was answered 202; they double up to the longest."""


class _Exchange:
    """What both paths know of a request.

    A 202 says that the work has begun: a try that fails from then on is followed by another look
    at that work, never by the request itself, which would begin it again.
    """

    def __init__(self, server: Server, url: str, headers: Headers, data: bytes | None) -> None:
        self._server = server
        self._method = "GET" if data is None else "POST"
        self._url = url
        self._headers = headers
        self._data = data
        self._polled: str | None = None
        self._pause = FIRST_POLL
        self._deadline = 0.0
        self._alive_at: float | None = None

    def alive_at(self) -> float | None:
        """Return when the server last said that it works on the request; None before a 202."""
        return self._alive_at

    def _accepted(self, body: SyncBody | AsyncBody) -> None:
        """Note where the work is polled, and until when."""
        request_id = body.headers.get("nvcf-reqid")
        if not self._server.polls_202 or not request_id:
            body.close()
            raise self._server.unpolled(body.headers)
        self._polled = self._server.polling_url(self._url, request_id)
        self._data = None
        self._alive_at = time.monotonic()
        self._deadline = self._alive_at + self._server.timeout.response

    def _next_pause(self, headers: Mapping[str, str]) -> float:
        """Return the wait before the next look, or raise where that would be too late."""
        pause = self._pause
        if time.monotonic() + pause > self._deadline:
            late = self._server.too_slow("response", headers)
            late.is_retryable = False  # the work goes on; the same request would begin it again
            raise late
        self._pause = min(2 * pause, LONGEST_POLL)
        return pause

    def _reply(self, body: SyncBody | AsyncBody, content: bytes) -> Reply:
        if not content:
            raise self._server.cut_off(body.headers, "there is nothing in it")
        data = decode_object(content)
        if data is None:
            raise self._server.malformed(body.status, body.headers, content)
        failed = data.get("error") or data.get("object") == "error"
        if failed and not data.get("choices"):
            raise self._server.error_event(data, body.headers)
        return Reply(data, body.headers, body.status, self._server.request_id(body.headers))

    def _refusal(self, body: SyncBody | AsyncBody, content: bytes) -> KimiError:
        return self._server.refusal(body.status, body.headers, content, self._polled or self._url)


class SyncExchange(_Exchange):
    """A request on the synchronous path."""

    def __init__(
        self, client: SyncClient, server: Server, url: str, headers: Headers, data: bytes | None
    ) -> None:
        super().__init__(server, url, headers, data)
        self._client = client

    def reply(self) -> Reply:
        """Make one try at the whole JSON reply."""
        body = self.open()
        return self._reply(body, body.read())

    def open(self) -> SyncBody:
        """Make one try at a reply whose body is coming."""
        if self._polled is None:
            body = self._client.send(self._method, self._url, self._headers, self._data)
            if body.status == 200:
                return body
            self._check(body)
            if body.status != 202:
                return body
            self._accepted(body)
            body.read_error()
        return self._poll(self._polled or "")

    def _poll(self, url: str) -> SyncBody:
        headers: Mapping[str, str] = {}
        while True:
            time.sleep(self._next_pause(headers))
            body = self._client.send("GET", url, self._headers, None)
            self._check(body)
            self._alive_at = time.monotonic()
            if body.status != 202:
                return body
            headers = body.headers
            body.read_error()

    def _check(self, body: SyncBody) -> None:
        if not 200 <= body.status < 300:
            raise self._refusal(body, body.read_error())


class AsyncExchange(_Exchange):
    """A request on the asynchronous path."""

    def __init__(
        self, client: AsyncClient, server: Server, url: str, headers: Headers, data: bytes | None
    ) -> None:
        super().__init__(server, url, headers, data)
        self._client = client

    async def reply(self) -> Reply:
        """Make one try at the whole JSON reply."""
        body = await self.open()
        return self._reply(body, await body.read())

    async def open(self) -> AsyncBody:
        """Make one try at a reply whose body is coming."""
        if self._polled is None:
            body = await self._client.send(self._method, self._url, self._headers, self._data)
            if body.status == 200:
                return body
            await self._check(body)
            if body.status != 202:
                return body
            self._accepted(body)
            await body.read_error()
        return await self._poll(self._polled or "")

    async def _poll(self, url: str) -> AsyncBody:
        headers: Mapping[str, str] = {}
        while True:
            await asyncio.sleep(self._next_pause(headers))
            body = await self._client.send("GET", url, self._headers, None)
            await self._check(body)
            self._alive_at = time.monotonic()
            if body.status != 202:
                return body
            headers = body.headers
            await body.read_error()

    async def _check(self, body: AsyncBody) -> None:
        if not 200 <= body.status < 300:
            raise self._refusal(body, await body.read_error())
