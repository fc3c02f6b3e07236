"""Performing a turn: waiting, polling, then writing the reply whole or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from aiohttp import web

from langchain_kimi.testing import faults
from langchain_kimi.testing.dialects.base import Dialect, Event, Json, dumps
from langchain_kimi.testing.reply import Reply
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Part
from langchain_kimi.testing.settings import Settings
from langchain_kimi.testing.wire import BodyWriter, cut_of, sse_frame

P = TypeVar("P", bound=Part)
DONE = "[DONE]"
MALFORMED = '{"id":"chatcmpl-broken","choices":[{"index":0,"delta":{"content":"'


def part_of(parts: Sequence[Part], kind: type[P]) -> P | None:
    """Find the last part of a kind, so that a turn's own wins over the server's."""
    return next((part for part in reversed(parts) if isinstance(part, kind)), None)


class Performance:
    """One reply on its way to one client."""

    def __init__(
        self, http: web.Request, dialect: Dialect, settings: Settings, closing: asyncio.Event
    ) -> None:
        self._http = http
        self._dialect = dialect
        self._settings = settings
        self._closing = closing

    async def silence(self, seconds: float | None) -> None:
        """Wait; None waits until the server closes or the client goes."""
        try:
            await asyncio.wait_for(self._closing.wait(), seconds)
        except TimeoutError:
            return

    async def whole(
        self,
        reply: Reply,
        request: ChatRequest,
        parts: Sequence[Part],
        headers: dict[str, str],
    ) -> web.StreamResponse:
        """Send the reply as one JSON body."""
        await self._pace(reply.usage.completion)
        for part in reply.steps:
            if isinstance(part, faults.Pause):
                await self.silence(part.seconds)
        completion = self._dialect.completion(reply)
        completion["choices"] = [
            choice for one in completion["choices"] for choice in _numbered(one, request.choices)
        ]
        body = dumps(completion).encode("utf-8", "surrogatepass")
        if part_of(parts, faults.Malformed):
            body = body[: len(body) // 2]
        response = web.StreamResponse(headers=headers)
        response.content_type = "application/json"
        response.content_length = len(body)
        await response.prepare(self._http)
        await self._first_token(parts)
        writer = BodyWriter(self._http, response, cut_of(parts))
        if any(_is_cut_here(part) for part in parts):
            await writer.write(body[: len(body) // 2])
            writer.cut()
        await writer.write(body)
        await response.write_eof()
        return response

    async def stream(
        self,
        reply: Reply,
        request: ChatRequest,
        parts: Sequence[Part],
        headers: dict[str, str],
    ) -> web.StreamResponse:
        """Send the reply as server-sent events."""
        response = web.StreamResponse(headers=headers)
        response.headers["Content-Type"] = "text/event-stream; charset=utf-8"
        response.headers["Cache-Control"] = "no-cache"
        await response.prepare(self._http)
        await self._first_token(parts)
        framing = part_of(parts, faults.Framed) or faults.Framed()
        chunked = part_of(parts, faults.Chunked)
        size = chunked.size if chunked else self._settings.chunk_chars
        writer = BodyWriter(self._http, response, cut_of(parts))
        for event in self._dialect.events(reply, request, size):
            if isinstance(event, Event):
                await self._pace(event.tokens)
                for chunk in _by_choice(event.data, request.choices):
                    await writer.event(sse_frame(dumps(chunk), framing))
            elif await self._happens(event, writer, framing):
                break
        else:
            await writer.event(sse_frame(DONE, framing))
        await response.write_eof()
        return response

    async def _happens(self, part: Part, writer: BodyWriter, framing: faults.Framed) -> bool:
        """Let a fault happen at its place; tell whether the stream ends with it."""
        if isinstance(part, faults.Pause):
            await self.silence(part.seconds)
        elif isinstance(part, faults.Raw):
            await writer.write(part.data)
        elif isinstance(part, faults.Malformed):
            await writer.event(sse_frame(MALFORMED, framing))
        elif isinstance(part, faults.ErrorEvent):
            await writer.event(sse_frame(self._dialect.error_event(part.message), framing))
            await writer.event(sse_frame(DONE, framing))
            return True
        elif isinstance(part, faults.EndEarly):
            if part.done:
                await writer.event(sse_frame(DONE, framing))
            return True
        elif _is_cut_here(part):
            writer.cut()
        return False

    async def _first_token(self, parts: Sequence[Part]) -> None:
        slow = part_of(parts, faults.SlowFirstToken)
        if slow:
            await self.silence(slow.seconds)

    async def _pace(self, tokens: int) -> None:
        if self._settings.tokens_per_second and tokens:
            await self.silence(tokens / self._settings.tokens_per_second)


def _numbered(choice: Json, count: int) -> list[Json]:
    """Return as many choices as were asked for, which all say the same."""
    return [{**choice, "index": index} for index in range(count)]


def _by_choice(chunk: Json, count: int) -> list[Json]:
    """Return the chunks of several choices, which take turns in a stream."""
    if not chunk["choices"]:
        return [chunk]
    (choice,) = chunk["choices"]
    return [{**chunk, "choices": [one]} for one in _numbered(choice, count)]


def _is_cut_here(part: Part) -> bool:
    return isinstance(part, faults.Cut) and part.after_bytes is None and part.after_chunks is None
