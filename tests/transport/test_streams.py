"""Streamed replies: events, endings, and what is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from langchain_kimi import errors
from langchain_kimi.transport import Transport

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    KEY,
    ROLE,
    SSE_HEAD,
    Caller,
    Exchange,
    Handler,
    RawServer,
    answers,
    as_json,
    chunk,
    event,
    http,
    is_output,
    token,
)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]

WHOLE = CHUNKED + event(ROLE) + event(token("a")) + event(token("b")) + event("[DONE]") + END


def cut_after(*pieces: bytes) -> Handler:
    """Send the pieces and drop the connection, each time."""

    async def handler(exchange: Exchange) -> None:
        await exchange.send(*pieces)
        exchange.cut()

    return handler


async def test_reads_events_to_done(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(WHOLE))
    transport = connect(server.url)
    for _ in range(3):
        streamed = await caller.stream(transport)
        assert streamed.events == [ROLE, token("a"), token("b")]
        assert streamed.done
        assert streamed.request_id == "req-1"
    assert server.requests[0].headers["accept"] == "text/event-stream"
    assert server.connections == 1


async def test_keeps_the_connection_when_the_end_comes_after_done(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(WHOLE.removesuffix(END), END)

    server = serve(handler)
    transport = connect(server.url)
    for _ in range(3):
        assert (await caller.stream(transport)).done
    assert server.connections == 1


async def test_does_not_wait_for_a_server_that_never_ends(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(WHOLE.removesuffix(END))
        await exchange.hang()

    server = serve(handler)
    assert (await caller.stream(connect(server.url))).done
    assert await asyncio.to_thread(server.gone.wait, 5)


async def test_comments_behind_done_do_not_hold_a_stream(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED, event(token("a")), event("[DONE]"))
        with contextlib.suppress(OSError):
            while not exchange.gone.is_set():
                await exchange.send(chunk(b": ping\n\n"))
                await asyncio.sleep(0.02)

    server = serve(handler)
    async with asyncio.timeout(20):
        streamed = await caller.stream(connect(server.url))
    assert streamed.done


async def test_the_last_events_do_not_wait_for_the_end(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(WHOLE.removesuffix(END))
        await exchange.hang()

    for module in ("sync_client", "async_client"):
        monkeypatch.setattr(f"langchain_kimi.transport.{module}.DRAIN_SECONDS", 3600)
    transport = connect(serve(handler).url)
    with transport.stream("chat", {}, is_output=is_output) as events:
        assert [next(events) for _ in range(3)] == [ROLE, token("a"), token("b")]
    async with transport.astream("chat", {}, is_output=is_output) as found:
        assert [await anext(found) for _ in range(3)] == [ROLE, token("a"), token("b")]


async def test_any_shape_of_the_wire(serve: Serve, connect: Connect, caller: Caller) -> None:
    wire = (
        b"\xef\xbb\xbf: hi\r\n\r\nevent: message\r\nid: 1\r\ndata: "
        + json.dumps(token("é東🎉"), ensure_ascii=False).encode()
        + b"\r\n\r\n: ping\n\ndata:"
        + json.dumps(token("x" * 300_000)).encode()
        + b"\r\rdata: [DONE]\n\n"
    )
    pieces = [chunk(wire[at : at + 7]) for at in range(0, 700, 7)] + [chunk(wire[700:])]
    server = serve(answers(CHUNKED + b"".join(pieces) + END))
    streamed = await caller.stream(connect(server.url))
    assert streamed.text == "é東🎉" + "x" * 300_000
    assert streamed.done


@pytest.mark.parametrize(
    "reply",
    [
        SSE_HEAD + b"\r\ndata: " + json.dumps(token("a")).encode() + b"\n\n",
        CHUNKED + event(token("a")) + END,
        CHUNKED + chunk(b"data: " + json.dumps(token("a")).encode()) + END,
    ],
)
async def test_a_clean_end_without_done_is_left_to_the_caller(
    serve: Serve, connect: Connect, caller: Caller, reply: bytes
) -> None:
    server = serve(cut_after(reply))
    streamed = await caller.stream(connect(server.url))
    assert streamed.text == "a"
    assert not streamed.done
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        CHUNKED + event(token("a")),
        CHUNKED + event(token("a")) + b"ff\r\ndata: {",
        SSE_HEAD + b"Content-Length: 900\r\n\r\ndata: " + json.dumps(token("a")).encode() + b"\n\n",
        CHUNKED + event(token("a")) + chunk(b'data: {"choices": [{"de') + END,
    ],
    ids=["between-chunks", "inside-a-chunk", "content-length", "inside-an-event"],
)
async def test_a_cut_stream_raises_after_what_arrived(
    serve: Serve, connect: Connect, caller: Caller, reply: bytes
) -> None:
    server = serve(cut_after(reply))
    events: list[Any] = []
    with pytest.raises(errors.KimiTruncatedStreamError, match="broke off") as caught:
        await caller.stream(connect(server.url), events)
    assert events == [token("a")]
    assert caught.value.request_id == "req-1"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [CHUNKED + event(ROLE), CHUNKED + event(ROLE) + END, CHUNKED + END, CHUNKED + chunk(b"dat")],
    ids=["cut", "ended", "empty", "cut-inside-a-line"],
)
async def test_a_stream_that_ends_before_output_is_tried_again(
    serve: Serve, connect: Connect, caller: Caller, reply: bytes
) -> None:
    tries = iter([reply, reply, WHOLE])

    async def handler(exchange: Exchange) -> None:
        await exchange.send(next(tries))
        exchange.cut()

    server = serve(handler)
    streamed = await caller.stream(connect(server.url))
    assert streamed.events == [ROLE, token("a"), token("b")]
    assert len(server.requests) == 3


async def test_a_stream_that_never_has_output_raises(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(cut_after(CHUNKED + event(ROLE) + END))
    events: list[Any] = []
    with pytest.raises(errors.KimiTruncatedStreamError, match="before the first output"):
        await caller.stream(connect(server.url), events)
    assert events == []
    assert len(server.requests) == 3


async def test_done_without_output_is_an_end(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(CHUNKED + event(ROLE) + event("[DONE]") + END))
    streamed = await caller.stream(connect(server.url))
    assert streamed.events == [ROLE]
    assert streamed.done


async def test_an_error_event_after_output_raises_after_what_arrived(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    error = {"error": {"message": "engine died", "type": "InternalServerError", "code": 500}}
    server = serve(answers(CHUNKED + event(token("a")) + event(error) + event("[DONE]") + END))
    events: list[Any] = []
    with pytest.raises(errors.KimiServerError, match="engine died") as caught:
        await caller.stream(connect(server.url), events)
    assert events == [token("a")]
    assert (caught.value.status, caught.value.request_id) == (500, "req-1")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("error", "kind", "tries"),
    [
        ({"message": "engine died", "code": 500}, errors.KimiServerError, 3),
        ({"message": "no", "type": "BadRequestError", "code": 400}, errors.KimiBadRequestError, 1),
        ("overloaded", errors.KimiServerError, 3),
    ],
)
async def test_an_error_event_before_output_is_tried_again_if_it_may_pass(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    error: Any,
    kind: type[errors.KimiError],
    tries: int,
) -> None:
    server = serve(answers(CHUNKED + event(ROLE) + event({"error": error}) + END))
    with pytest.raises(kind):
        await caller.stream(connect(server.url))
    assert len(server.requests) == tries


async def test_an_error_of_old_servers_is_an_error(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    error = {"object": "error", "message": "bad input", "type": "BadRequestError", "code": 400}
    server = serve(answers(CHUNKED + event(error) + END))
    with pytest.raises(errors.KimiBadRequestError, match="bad input"):
        await caller.stream(connect(server.url))


async def test_an_error_beside_output_raises_after_it(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    last = {**token("a"), "error": {"message": f"upstream died: {KEY}", "code": 502}}
    server = serve(answers(CHUNKED + event(last) + event("[DONE]") + END))
    events: list[Any] = []
    with pytest.raises(errors.KimiServerError, match="upstream died") as caught:
        await caller.stream(connect(server.url), events)
    assert events == [token("a")]
    assert KEY not in str(caught.value)
    assert len(server.requests) == 1


async def test_an_error_in_place_of_a_reply_is_typed_and_shows_no_key(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(as_json({"error": {"message": f"bad key {KEY}", "code": 401}})))
    with pytest.raises(errors.KimiAuthenticationError, match="bad key") as caught:
        await caller.post(connect(server.url))
    assert KEY not in str(caught.value)


async def test_malformed_json_raises_after_what_arrived(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(CHUNKED + event(token("a")) + event("{'no': json}") + event("[DONE]")))
    events: list[Any] = []
    with pytest.raises(errors.KimiServerError, match="no JSON object"):
        await caller.stream(connect(server.url), events)
    assert events == [token("a")]


async def test_a_whole_json_reply_is_one_event(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    with transport.stream("chat", {}, is_output=lambda _: True) as events:
        assert (list(events), events.done) == ([HELLO], True)
    async with transport.astream("chat", {}, is_output=lambda _: True) as found:
        assert ([one async for one in found], found.done) == ([HELLO], True)


async def test_a_refusal_is_typed(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(as_json({"detail": "no"}, "403 Forbidden")))
    with pytest.raises(errors.KimiPermissionDeniedError):
        await caller.stream(connect(server.url))
    assert len(server.requests) == 1


async def test_a_web_page_in_place_of_a_stream_raises(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(http(b"<html>sign in</html>", Content_Type="text/html")))
    with pytest.raises(errors.KimiServerError, match="no JSON object: '<html>sign in"):
        await caller.stream(connect(server.url))
    assert len(server.requests) == 1


async def test_leaving_a_stream_early_ends_the_request(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED, event(token("a")))
        await exchange.hang()

    server = serve(handler)
    transport = connect(server.url)
    if caller.path == "async":
        async with transport.astream("chat", {}, is_output=is_output) as found:
            assert await anext(found) == token("a")
    else:
        with transport.stream("chat", {}, is_output=is_output) as events:
            assert next(events) == token("a")
    assert await asyncio.to_thread(server.gone.wait, 5)


async def test_a_failed_stream_stays_failed(serve: Serve, connect: Connect) -> None:
    server = serve(cut_after(CHUNKED + event(token("a"))))
    transport = connect(server.url)
    with transport.stream("chat", {}, is_output=is_output) as events:
        assert next(events) == token("a")
        for _ in range(2):
            with pytest.raises(errors.KimiTruncatedStreamError):
                next(events)
    async with transport.astream("chat", {}, is_output=is_output) as found:
        assert await anext(found) == token("a")
        for _ in range(2):
            with pytest.raises(errors.KimiTruncatedStreamError):
                await anext(found)


async def test_a_finished_stream_stays_finished(serve: Serve, connect: Connect) -> None:
    server = serve(answers(WHOLE))
    transport = connect(server.url)
    with transport.stream("chat", {}, is_output=is_output) as events:
        assert len(list(events)) == 3
        assert list(events) == []
