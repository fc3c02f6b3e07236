"""A server and a proxy of bytes, and one way to call both paths of the transport."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_kimi.transport import Transport

KEY = "nvapi-very-secret-key-0123456789"
HELLO = {"choices": [{"message": {"role": "assistant", "content": "hello"}}]}


@dataclass
class Request:
    """What a client sent."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Exchange:
    """One request and the raw way to answer it."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    gone: asyncio.Event

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def hang(self) -> None:
        """Say nothing until the client goes."""
        await self.reader.read()
        self.gone.set()

    def cut(self) -> None:
        """Close the connection without another word."""
        self.writer.close()


Handler = Callable[[Exchange], Awaitable[None]]


def http(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """Return a reply with a Content-Length; underscores in header names become dashes."""
    headers.setdefault("Content_Type", "application/json")
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    head = "\r\n".join([f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}"])
    return head.encode() + b"\r\n\r\n" + body


def as_json(value: Any, status: str = "200 OK", **headers: str) -> bytes:
    """Return a JSON reply."""
    return http(json.dumps(value).encode(), status, **headers)


SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: req-1\r\n"
CHUNKED = SSE_HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return a piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(payload: Any) -> bytes:
    """Return a chunk with one event."""
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return chunk(b"data: %s\n\n" % text.encode())


def token(text: str) -> dict[str, Any]:
    """Return an event with output."""
    return {"choices": [{"delta": {"content": text}}]}


ROLE = {"choices": [{"delta": {"role": "assistant", "content": ""}}]}


def is_output(found: dict[str, Any]) -> bool:
    """Whether an event has text."""
    return any(choice["delta"].get("content") for choice in found.get("choices", ()))


def answers(*replies: bytes) -> Handler:
    """Give one reply after the other; the last one again and again."""
    left = list(replies)

    async def handler(exchange: Exchange) -> None:
        await exchange.send(left.pop(0) if len(left) > 1 else left[0])

    return handler


@dataclass
class RawServer:
    """A server of bytes on 127.0.0.1, in a thread with a loop of its own."""

    handler: Handler
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    gone: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        host = "localhost" if self.tls else "127.0.0.1"
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/v1"

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(5)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _start(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self.tls, limit=1 << 26
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        try:
            await self._serve(reader, writer, self.connections)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ssl.SSLError):
            pass  # the client left, or the test ended: what it saw is the test's to judge
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(writer.wait_closed(), 0.2)
            writer.transport.abort()
            await asyncio.sleep(0)
            self._tasks.discard(task)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        while not writer.is_closing():
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            method, target, _ = head[0].split(" ")
            pairs = (line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            request = Request(method, target, headers, body, connection)
            self.requests.append(request)
            gone = asyncio.Event()
            await self.handler(Exchange(request, reader, writer, gone))
            if gone.is_set():
                self.gone.set()
                return


def proxy_handler(password: str | None = None) -> Handler:
    """Forward plain requests and CONNECT tunnels."""

    async def handler(exchange: Exchange) -> None:
        request = exchange.request
        if password is not None:
            wanted = "Basic " + base64.b64encode(password.encode()).decode()
            if request.headers.get("proxy-authorization") != wanted:
                await exchange.send(http(b"", "407 Proxy Authentication Required"))
                return
        if request.method == "CONNECT":
            host, port = request.target.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            await exchange.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_pipe(exchange.reader, writer), _pipe(reader, exchange.writer))
        else:
            address, path = request.target.removeprefix("http://").split("/", 1)
            host, port = address.split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            lines = [f"{request.method} /{path} HTTP/1.1", f"Host: {address}", "Connection: close"]
            lines += [f"Content-Length: {len(request.body)}", "", ""]
            writer.write("\r\n".join(lines).encode() + request.body)
            try:
                await _pipe(reader, exchange.writer)
            finally:
                writer.close()

    return handler


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        return
    finally:
        writer.close()


@dataclass
class Caller:
    """Call the synchronous path (in a thread) or the asynchronous one in the same words."""

    path: str

    async def post(self, transport: Transport, body: Any = None, path: str = "chat") -> Any:
        if self.path == "async":
            return await transport.apost(path, body or {"q": 1})
        return await asyncio.to_thread(transport.post, path, body or {"q": 1})

    async def get(self, transport: Transport, path: str = "models") -> Any:
        if self.path == "async":
            return await transport.aget(path)
        return await asyncio.to_thread(transport.get, path)

    async def stream(self, transport: Transport, into: list[Any] | None = None) -> Streamed:
        """Read a stream to its end; `into` keeps the events when it fails."""
        events = [] if into is None else into
        if self.path == "async":
            async with transport.astream("chat", {"q": 1}, is_output=is_output) as found:
                async for one in found:
                    events.append(one)
                return Streamed(events, found.done, found.request_id)
        return await asyncio.to_thread(self._stream, transport, events)

    def _stream(self, transport: Transport, events: list[Any]) -> Streamed:
        with transport.stream("chat", {"q": 1}, is_output=is_output) as found:
            events.extend(found)
            return Streamed(events, found.done, found.request_id)


@dataclass
class Streamed:
    """A stream that was read to its end."""

    events: list[dict[str, Any]]
    done: bool
    request_id: str | None

    @property
    def text(self) -> str:
        deltas = (one["choices"][0]["delta"] for one in self.events)
        return "".join(delta.get("content") or "" for delta in deltas)
