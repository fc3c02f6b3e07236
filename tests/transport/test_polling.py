"""Requests that are answered 202 and polled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from langchain_kimi import errors
from langchain_kimi.transport import Timeout, Transport
from langchain_kimi.transport.server import Server

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    KEY,
    ROLE,
    Caller,
    Exchange,
    Handler,
    RawServer,
    answers,
    as_json,
    event,
    http,
    token,
)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]

ACCEPTED = http(b"", "202 Accepted", NVCF_REQID="id/1", NVCF_STATUS="pending-evaluation")
EVENTS = CHUNKED + event(ROLE) + event(token("a")) + event("[DONE]") + END


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_kimi.transport.exchange.FIRST_POLL", 0.01)


async def test_polls_the_host_that_answered(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(ACCEPTED, ACCEPTED, ACCEPTED, as_json(HELLO)))
    reply = await caller.post(connect(server.url, polls_202=True))
    assert reply.data == HELLO
    first, *polls = server.requests
    assert first.method == "POST"
    assert [(poll.method, poll.target, poll.body) for poll in polls] == [
        ("GET", "/v2/nvcf/pexec/status/id%2F1", b"")
    ] * 3
    assert polls[0].headers["authorization"] == f"Bearer {KEY}"
    assert server.connections == 1


async def test_streams_after_polling(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(ACCEPTED, ACCEPTED, EVENTS))
    streamed = await caller.stream(connect(server.url, polls_202=True))
    assert streamed.events == [ROLE, token("a")]
    assert streamed.done
    assert server.requests[-1].headers["accept"] == "text/event-stream"


async def test_streams_one_event_when_polling_ends_with_json(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    whole = {"choices": [{"message": {"content": "a"}, "delta": {}}]}
    server = serve(answers(ACCEPTED, as_json(whole)))
    streamed = await caller.stream(connect(server.url, polls_202=True))
    assert (streamed.events, streamed.done) == ([whole], True)


async def test_a_poll_that_fails_for_a_moment_is_repeated_alone(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    busy = as_json({}, "502 Bad Gateway")
    server = serve(answers(ACCEPTED, busy, busy, ACCEPTED, as_json(HELLO)))
    assert (await caller.post(connect(server.url, polls_202=True))).data == HELLO
    assert [request.method for request in server.requests] == ["POST"] + ["GET"] * 4


async def test_an_error_at_the_end_of_polling_is_typed(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(ACCEPTED, as_json({"detail": "bad"}, "400 Bad Request")))
    with pytest.raises(errors.KimiBadRequestError, match="bad"):
        await caller.post(connect(server.url, polls_202=True))
    assert len(server.requests) == 2


BUSY = as_json({}, "502 Bad Gateway")
CUT = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 99\r\n\r\n{"choi'


def script(*replies: bytes) -> Handler:
    """Give one reply after the other, and close the connection after one that is cut."""
    left = list(replies)

    async def handler(exchange: Exchange) -> None:
        reply = left.pop(0) if len(left) > 1 else left[0]
        await exchange.send(reply)
        if reply in {CUT, EARLY}:
            exchange.cut()

    return handler


EARLY = CHUNKED + event(ROLE)


async def test_work_that_was_accepted_is_never_begun_again(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    for call in (caller.post, caller.stream):
        server = serve(answers(ACCEPTED, BUSY))
        with pytest.raises(errors.KimiServerError):
            await call(connect(server.url, polls_202=True, max_retries=2))
        assert [request.method for request in server.requests] == ["POST"] + ["GET"] * 3


async def test_request_and_polls_share_one_budget(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    for call in (caller.post, caller.stream):
        server = serve(answers(BUSY, ACCEPTED, BUSY, ACCEPTED, BUSY))
        with pytest.raises(errors.KimiServerError):
            await call(connect(server.url, polls_202=True, max_retries=2))
        assert [request.method for request in server.requests] == ["POST"] * 2 + ["GET"] * 3


async def test_a_polled_reply_that_is_cut_is_polled_again(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(script(ACCEPTED, CUT, as_json(HELLO)))
    assert (await caller.post(connect(server.url, polls_202=True))).data == HELLO
    assert [request.method for request in server.requests] == ["POST", "GET", "GET"]


async def test_a_polled_stream_that_is_cut_before_its_output_is_polled_again(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(script(ACCEPTED, EARLY, EVENTS))
    streamed = await caller.stream(connect(server.url, polls_202=True))
    assert (streamed.text, streamed.done) == ("a", True)
    assert [request.method for request in server.requests] == ["POST", "GET", "GET"]


async def test_polling_that_takes_too_long_does_not_begin_again(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    for call in (caller.post, caller.stream):
        server = serve(answers(ACCEPTED))
        settings = {"polls_202": True, "timeout": Timeout(response=0.1), "max_retries": 3}
        with pytest.raises(errors.KimiTimeoutError) as caught:
            await call(connect(server.url, **settings))
        assert not caught.value.is_retryable
        assert [request.method for request in server.requests].count("POST") == 1


async def test_polling_is_bounded(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(ACCEPTED))
    transport = connect(server.url, polls_202=True, timeout=Timeout(response=0.2), max_retries=0)
    for call in (caller.post, caller.stream):
        with pytest.raises(errors.KimiTimeoutError, match="begin to reply") as caught:
            await call(transport)
        assert caught.value.request_id == "id/1"


@pytest.mark.parametrize(
    ("reply", "polls", "words"),
    [(ACCEPTED, False, "not polled"), (http(b"", "202 Accepted"), True, "without a request id")],
)
async def test_a_202_that_cannot_be_polled_is_an_error(
    serve: Serve, connect: Connect, caller: Caller, reply: bytes, polls: bool, words: str
) -> None:
    server = serve(answers(reply))
    transport = connect(server.url, polls_202=polls)
    for call in (caller.post, caller.stream):
        with pytest.raises(errors.KimiServerError, match=words) as caught:
            await call(transport)
        assert caught.value.status == 202
    assert len(server.requests) == 2


async def test_a_redirect_of_a_poll_is_not_followed(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    other = serve(answers(as_json(HELLO)))

    async def handler(exchange: Exchange) -> None:
        if exchange.request.method == "POST":
            await exchange.send(ACCEPTED)
        else:
            await exchange.send(http(b"", "302 Found", Location=other.url))

    server = serve(handler)
    with pytest.raises(errors.KimiNotFoundError):
        await caller.post(connect(server.url, polls_202=True))
    assert other.requests == []


@pytest.mark.parametrize(
    ("answered", "polled"),
    [
        ("https://integrate.api.nvidia.com/v1/chat", "https://api.nvcf.nvidia.com"),
        ("https://ai.api.nvidia.com/v1/chat", "https://api.nvcf.nvidia.com"),
        ("https://api.nvcf.nvidia.com/v2/x", "https://api.nvcf.nvidia.com"),
        ("http://integrate.api.nvidia.com/v1/chat", "http://integrate.api.nvidia.com"),
        (
            "https://integrate.api.nvidia.com.evil.org/v1",
            "https://integrate.api.nvidia.com.evil.org",
        ),
        ("https://evil-api.nvidia.com.org/v1", "https://evil-api.nvidia.com.org"),
        ("http://127.0.0.1:8000/v1/chat", "http://127.0.0.1:8000"),
        ("https://nim.example:8443/base/v1/chat", "https://nim.example:8443"),
    ],
)
def test_the_key_goes_only_to_the_host_that_asked_or_nvidias_own(
    answered: str, polled: str
) -> None:
    server = Server(base_url="http://unused", endpoint="nvidia")
    expected = f"{polled}/v2/nvcf/pexec/status/a%2F..%3Fb"
    assert server.polling_url(answered, "a/..?b") == expected
