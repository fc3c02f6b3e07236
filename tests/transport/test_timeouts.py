"""The timeouts of the three phases."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest

from langchain_kimi import errors
from langchain_kimi.transport import Timeout, Transport

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    Caller,
    Exchange,
    RawServer,
    answers,
    as_json,
    chunk,
    event,
    token,
)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


def test_defaults_suit_a_thinking_model() -> None:
    assert Timeout() == Timeout(connect=15.0, response=3600.0, idle=300.0)


@pytest.mark.parametrize("value", [0, -1, math.nan, "5", None, True])
def test_refuses_what_is_no_time(value: Any) -> None:
    with pytest.raises(errors.KimiInvalidInputError, match=r"Timeout\.idle"):
        Timeout(idle=value)


async def test_waiting_for_ever(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(as_json(HELLO)))
    for_ever = Timeout(connect=math.inf, response=math.inf, idle=math.inf)
    assert (await caller.post(connect(server.url, timeout=for_ever))).data == HELLO


@pytest.mark.parametrize("said", [b"", CHUNKED, b"HTTP/1.1 200 OK\r\n"])
async def test_no_reply_in_time(
    serve: Serve, connect: Connect, caller: Caller, said: bytes
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(said)
        await exchange.hang()

    server = serve(handler)
    transport = connect(server.url, timeout=Timeout(response=0.2), max_retries=1)
    for call in (caller.post, caller.stream):
        with pytest.raises(errors.KimiTimeoutError, match=r"begin to reply within 0\.2 s"):
            await call(transport)
    assert await asyncio.to_thread(server.gone.wait, 5)
    assert len(server.requests) == 4


async def test_a_reply_that_stops(serve: Serve, connect: Connect, caller: Caller) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED, event(token("a")))
        await exchange.hang()

    server = serve(handler)
    transport = connect(server.url, timeout=Timeout(idle=0.2), max_retries=1)
    events: list[Any] = []
    with pytest.raises(errors.KimiTimeoutError, match="in the middle") as caught:
        await caller.stream(transport, events)
    assert caught.value.request_id == "req-1"
    assert events == [token("a")]
    assert len(server.requests) == 1
    assert await asyncio.to_thread(server.gone.wait, 5)
    with pytest.raises(errors.KimiTimeoutError, match="in the middle"):
        await caller.post(transport)
    assert len(server.requests) == 3


async def test_comments_are_life(serve: Serve, connect: Connect, caller: Caller) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED)
        for _ in range(8):
            await exchange.send(chunk(b": still thinking\n\n"))
            await asyncio.sleep(0.1)
        await exchange.send(event(token("a")), event("[DONE]"), END)

    server = serve(handler)
    transport = connect(server.url, timeout=Timeout(response=0.7, idle=0.7), max_retries=0)
    assert (await caller.stream(transport)).text == "a"


async def test_a_long_silence_before_the_first_byte_is_not_idleness(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED)
        await asyncio.sleep(0.5)
        await exchange.send(event(token("a")), event("[DONE]"), END)

    server = serve(handler)
    transport = connect(server.url, timeout=Timeout(idle=0.2), max_retries=0)
    assert (await caller.stream(transport)).text == "a"


async def test_no_connection_in_time(connect: Connect, caller: Caller, full: int) -> None:
    transport = connect(f"http://127.0.0.1:{full}/v1", timeout=Timeout(connect=0.2), max_retries=0)
    with pytest.raises(errors.KimiTimeoutError, match=r"accept a connection within 0\.2 s"):
        await caller.post(transport)


async def test_a_slow_upload_is_not_bound_by_the_connect_timeout(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def slow_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await asyncio.sleep(0.6)
        await reader.readexactly(length)
        writer.write(as_json(HELLO))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(slow_reader, "127.0.0.1", 0, limit=1 << 26) as server:
        port = server.sockets[0].getsockname()[1]
        transport = connect(
            f"http://127.0.0.1:{port}/v1", timeout=Timeout(connect=0.2), max_retries=0
        )
        big = {"image": "x" * 24_000_000}
        assert (await caller.post(transport, big)).data == HELLO
        await asyncio.to_thread(transport.close)
        await transport.aclose()
