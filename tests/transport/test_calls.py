"""Single replies: what goes out and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from langchain_kimi import errors
from langchain_kimi.transport import Transport

from .raw_server import HELLO, KEY, Caller, Exchange, RawServer, answers, as_json, chunk, http

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


async def test_posts_json_and_reads_json(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(as_json(HELLO, X_Request_Id="req-9")))
    transport = connect(server.url, headers={"X-Billing-Source": "us", "User-Agent": "me"})

    reply = await caller.post(transport, {"text": "über 🎉", "n": 1})

    assert reply.data == HELLO
    assert (reply.status, reply.request_id) == (200, "req-9")
    (request,) = server.requests
    assert (request.method, request.target) == ("POST", "/v1/chat")
    assert json.loads(request.body) == {"text": "über 🎉", "n": 1}
    assert "über 🎉".encode() in request.body
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == "application/json"
    assert request.headers["x-billing-source"] == "us"
    assert request.headers["user-agent"] == "me"


async def test_gets(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(as_json({"data": []})))
    reply = await caller.get(connect(server.url + "/"), "/models")
    assert reply.data == {"data": []}
    assert (server.requests[0].method, server.requests[0].target) == ("GET", "/v1/models")


@pytest.mark.parametrize("key", [None, SecretStr(""), SecretStr("  ")])
async def test_sends_no_authorization_without_a_key(
    serve: Serve, connect: Connect, caller: Caller, key: SecretStr | None
) -> None:
    server = serve(answers(as_json(HELLO)))
    await caller.post(connect(server.url, api_key=key))
    assert "authorization" not in server.requests[0].headers


async def test_headers_of_the_caller_win_whatever_their_case(
    serve: Serve, connect: Connect
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url, headers={"AUTHORIZATION": "Basic abc", "X-A": "model"})
    await transport.apost("chat", {}, headers={"x-a": "call"})
    headers = server.requests[0].headers
    assert headers["authorization"] == "Basic abc"
    assert headers["x-a"] == "call"


async def test_reads_chunked_and_gzipped_replies(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    import gzip

    packed = gzip.compress(json.dumps(HELLO).encode())
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    server = serve(answers(head + chunk(packed[:9]) + chunk(packed[9:]) + b"0\r\n\r\n"))
    assert (await caller.post(connect(server.url))).data == HELLO


async def test_reads_megabytes(serve: Serve, connect: Connect, caller: Caller) -> None:
    big = {"text": "x" * 6_000_000}
    server = serve(answers(as_json(big)))
    assert (await caller.post(connect(server.url), big)).data == big
    assert json.loads(server.requests[0].body) == big
    assert server.requests[0].headers["content-type"] == "application/json"
    assert "content-disposition" not in server.requests[0].headers


async def test_keeps_connections(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    for _ in range(5):
        await caller.post(transport)
    assert server.connections == 1


async def test_reads_a_reply_that_closes_the_connection(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(b'HTTP/1.0 200 OK\r\nX-Request-Id: a\r\n\r\n{"a"', b": 1}")
        exchange.cut()

    server = serve(handler)
    transport = connect(server.url)
    for _ in range(2):
        assert (await caller.post(transport)).data == {"a": 1}
    assert server.connections == 2


@pytest.mark.parametrize("body", [b"<html>portal</html>", b"[1]", b"\xff\xfe", b'"text"'])
async def test_refuses_a_reply_that_is_no_object(
    serve: Serve, connect: Connect, caller: Caller, body: bytes
) -> None:
    server = serve(answers(http(body)))
    with pytest.raises(errors.KimiServerError, match="no JSON object") as caught:
        await caller.post(connect(server.url))
    assert caught.value.status == 200
    assert not caught.value.is_retryable
    assert len(server.requests) == 1


async def test_repeats_after_an_empty_reply(serve: Serve, connect: Connect, caller: Caller) -> None:
    server = serve(answers(http(b""), as_json(HELLO)))
    assert (await caller.post(connect(server.url))).data == HELLO
    with pytest.raises(errors.KimiTruncatedStreamError, match="nothing in it"):
        await caller.post(connect(serve(answers(http(b""))).url))


async def test_does_not_follow_redirects(serve: Serve, connect: Connect, caller: Caller) -> None:
    other = serve(answers(as_json(HELLO)))
    server = serve(answers(http(b"", "307 Temporary Redirect", Location=other.url)))
    with pytest.raises(errors.KimiNotFoundError, match=f"points to {other.url}"):
        await caller.post(connect(server.url))
    assert other.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", errors.KimiBadRequestError),
        ("401 Unauthorized", errors.KimiAuthenticationError),
        ("403 Forbidden", errors.KimiPermissionDeniedError),
        ("404 Not Found", errors.KimiNotFoundError),
        ("413 Too Large", errors.KimiRequestTooLargeError),
        ("501 Not Implemented", errors.KimiServerError),
    ],
)
async def test_refusals_are_typed_and_not_repeated(
    serve: Serve, connect: Connect, caller: Caller, status: str, kind: type[errors.KimiError]
) -> None:
    body = {"error": {"message": f"no, {KEY} is wrong"}}
    server = serve(answers(as_json(body, status, X_Request_Id="req-3")))
    with pytest.raises(kind) as caught:
        await caller.post(connect(server.url))
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.request_id, error.endpoint) == (int(status[:3]), "req-3", "vllm")
    assert server.url in str(error)
    assert KEY not in str(error) + repr(error) + str(error.body)
    assert len(server.requests) == 1


async def test_reads_the_beginning_of_a_huge_error(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(http(b"oops " * 1_000_000, "400 Bad Request")))
    with pytest.raises(errors.KimiBadRequestError) as caught:
        await caller.post(connect(server.url))
    assert caught.value.body is not None
    assert len(caught.value.body) <= errors.BODY_LIMIT


async def test_tells_of_an_error_whose_body_breaks_off(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 99\r\n\r\nhalf")
        exchange.cut()

    server = serve(handler)
    with pytest.raises(errors.KimiAuthenticationError):
        await caller.post(connect(server.url))


async def test_nothing_is_listening(connect: Connect, caller: Caller, unused: int) -> None:
    transport = connect(f"http://127.0.0.1:{unused}/v1")
    with pytest.raises(errors.KimiConnectionError, match="cannot be reached") as caught:
        await caller.post(transport)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_an_unknown_host(connect: Connect, caller: Caller) -> None:
    transport = connect("http://no-such-host.invalid/v1", max_retries=0)
    with pytest.raises(errors.KimiConnectionError, match="no-such-host"):
        await caller.post(transport)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"text": "a\ud800b"}, "lone surrogate"),
        ({"text": {1, 2}}, "cannot be written as JSON"),
        ({"number": float("nan")}, "cannot be written as JSON"),
    ],
)
async def test_refuses_what_json_cannot_carry(
    connect: Connect, caller: Caller, body: Any, words: str
) -> None:
    transport = connect("http://127.0.0.1:9/v1")
    with pytest.raises(errors.KimiInvalidInputError, match=words) as caught:
        await caller.post(transport, body)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"api_key": SecretStr("nvapi-abc\ndef")}, "stray newline"),
        ({"api_key": SecretStr("nvapi-東京")}, "cannot carry"),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, "'X-A'"),
        ({"headers": {"X A": "1"}}, "'X A'"),
        ({"base_url": "127.0.0.1:8000/v1"}, "base_url"),
        ({"base_url": "ftp://host/v1"}, "base_url"),
        ({"base_url": "http://me:pass@host/v1"}, "default_headers"),
    ],
)
def test_refuses_settings_that_cannot_be_sent(
    connect: Connect, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(errors.KimiInvalidInputError, match=words) as caught:
        connect(changes.pop("base_url", "http://127.0.0.1:9/v1"), **changes)
    assert "nvapi-abc" not in str(caught.value)
    assert "pass@" not in str(caught.value)


async def test_refuses_headers_of_a_call_that_cannot_be_sent(connect: Connect) -> None:
    transport = connect("http://127.0.0.1:9/v1")
    with pytest.raises(errors.KimiInvalidInputError, match="X-A"):
        await transport.apost("chat", {}, headers={"X-A": "a\nb"})


async def test_strips_the_newline_at_the_end_of_a_key_file(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    await connect(server.url, api_key=SecretStr(f"{KEY}\n")).apost("chat", {})
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
