"""Streams of events that try again until the first output is there."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.async_client import AsyncBody
from langchain_kimi.transport.events import EventDecoder
from langchain_kimi.transport.exchange import AsyncExchange, SyncExchange
from langchain_kimi.transport.retry import RetryPolicy
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.sync_client import SyncBody

IsOutput = Callable[[dict[str, Any]], bool]


class _Stream:
    """What both streams know: the events that are ready and how the reply ended."""

    def __init__(self, server: Server, retries: RetryPolicy, is_output: IsOutput) -> None:
        self._server = server
        self._retries = retries
        self._is_output = is_output
        self._ready: deque[dict[str, Any]] = deque()
        self._opened = False
        self._decoder: EventDecoder | None = None
        self._failure: KimiError | None = None
        self._ended = False
        self.headers: Mapping[str, str] = {}

    @property
    def done(self) -> bool:
        """Whether `[DONE]`, or a whole JSON reply in place of a stream, was read."""
        return self._decoder is not None and self._decoder.done

    @property
    def request_id(self) -> str | None:
        """The server's id of the request, once the reply has begun."""
        return self._server.request_id(self.headers)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._ready.clear()
        self._ended = False
        self._failure = None
        self.headers = headers
        self._decoder = EventDecoder(self._server, status, headers)

    def _accept(self, data: bytes) -> list[dict[str, Any]]:
        """Take in bytes, or the end of the body where there are none."""
        assert self._decoder is not None
        events = self._decoder.feed(data) if data else self._decoder.finish()
        self._ready += events
        self._failure = self._decoder.failure
        self._ended = not data or self._decoder.done or self._failure is not None
        return events

    def _fail(self, error: KimiError) -> None:
        self._failure = error
        self._ended = True

    def _after_opening(self, has_output: bool) -> None:
        """Raise where a try ended without output, so that it counts as failed."""
        if has_output:
            return
        if self._failure is not None:
            raise self._failure
        if not self.done:
            raise self._server.cut_off(self.headers, "it ends before the first output")


class EventStream(_Stream):
    """The events of a streamed reply; use it in a `with` statement.

    The request goes out with `open()`, or the first `next()`. Until an event is output it is
    repeated as the retry policy says, and the events of the failed try are discarded; never after.
    """

    def __init__(
        self,
        exchange: SyncExchange,
        server: Server,
        retries: RetryPolicy,
        is_output: IsOutput,
    ) -> None:
        super().__init__(server, retries, is_output)
        self._exchange = exchange
        self._body: SyncBody | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self

    def open(self) -> None:
        """Send the request and wait for its first output."""
        self._opened = True
        self._retries.run(self._try, self._exchange.alive_at)

    def __next__(self) -> dict[str, Any]:
        if not self._opened:
            self.open()
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._ended or self._body is None:
                self._finish()
                raise StopIteration
            self._read()
        return self._ready.popleft()

    def close(self) -> None:
        """End the request, wherever it is."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    def _try(self) -> None:
        self._body = self._exchange.open()
        self._begin(self._body.status, self._body.headers)
        has_output = False
        try:
            while not has_output and not self._ended:
                has_output = any(map(self._is_output, self._read()))
            self._after_opening(has_output)
        except BaseException:
            self._ready.clear()
            self.close()
            raise

    def _read(self) -> list[dict[str, Any]]:
        assert self._body is not None
        try:
            data = self._body.read_some()
        except KimiError as error:
            self._fail(error)
            return []
        events = self._accept(data)
        if self._failure is not None:
            self.close()
        return events

    def _finish(self) -> None:
        """Read past `[DONE]`, after the last event was handed out, and give up the connection."""
        if self._body is not None and self.done:
            self._body.drain()
        self.close()


class AsyncEventStream(_Stream):
    """The events of a streamed reply; use it in an `async with` statement.

    As `EventStream`, on an event loop. Cancelling the task ends the request at once.
    """

    def __init__(
        self,
        exchange: AsyncExchange,
        server: Server,
        retries: RetryPolicy,
        is_output: IsOutput,
    ) -> None:
        super().__init__(server, retries, is_output)
        self._exchange = exchange
        self._body: AsyncBody | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        return self

    async def open(self) -> None:
        """Send the request and wait for its first output."""
        self._opened = True
        await self._retries.arun(self._try, self._exchange.alive_at)

    async def __anext__(self) -> dict[str, Any]:
        if not self._opened:
            await self.open()
        while not self._ready:
            if self._failure is not None:
                raise self._failure
            if self._ended or self._body is None:
                await self._finish()
                raise StopAsyncIteration
            await self._read()
        return self._ready.popleft()

    async def aclose(self) -> None:
        """End the request, wherever it is."""
        body, self._body = self._body, None
        if body is not None:
            body.close()

    async def _try(self) -> None:
        self._body = await self._exchange.open()
        self._begin(self._body.status, self._body.headers)
        has_output = False
        try:
            while not has_output and not self._ended:
                has_output = any(map(self._is_output, await self._read()))
            self._after_opening(has_output)
        except BaseException:
            self._ready.clear()
            await self.aclose()
            raise

    async def _read(self) -> list[dict[str, Any]]:
        assert self._body is not None
        try:
            data = await self._body.read_some()
        except KimiError as error:
            self._fail(error)
            return []
        events = self._accept(data)
        if self._failure is not None:
            await self.aclose()
        return events

    async def _finish(self) -> None:
        """Read past `[DONE]`, after the last event was handed out, and give up the connection."""
        if self._body is not None and self.done:
            await self._body.drain()
        await self.aclose()
