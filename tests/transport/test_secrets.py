"""What a transport shows, keeps and copies."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import langchain_kimi
from langchain_kimi import errors
from langchain_kimi.transport import RetryPolicy, Timeout, Transport
from langchain_kimi.transport.server import JSON, Server

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    KEY,
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

PACKAGE = str(Path(langchain_kimi.__file__).parent)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


def test_repr_shows_no_secret(connect: Connect) -> None:
    transport = connect("http://h/v1", headers={"X-Token": "hidden-value"})
    shown = repr(transport) + str(transport) + repr(vars(transport))
    assert "http://h/v1" in repr(transport)
    assert KEY not in shown
    assert "hidden-value" not in shown


async def test_a_pickle_holds_settings_and_no_secret(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(
        server.url, headers={"X-Token": "hidden-value"}, timeout=Timeout(idle=7), polls_202=True
    )
    await transport.apost("chat", {"text": "the prompt"})
    transport.post("chat", {"text": "the prompt"})

    data = pickle.dumps(transport)

    for secret in (KEY, "hidden-value", "the prompt", "hello"):
        assert secret.encode() not in data
    loaded = pickle.loads(data)
    assert repr(loaded) == repr(transport)
    assert loaded.retries == transport.retries
    assert loaded.post("chat", {}).data == HELLO
    assert "authorization" not in server.requests[-1].headers
    loaded.close()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
async def test_a_copy_in_memory_works_on_its_own_connections(
    serve: Serve, connect: Connect, duplicate: Callable[[Transport], Transport]
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    transport.retries = RetryPolicy(max_retries=9)
    transport.post("chat", {})
    twin = duplicate(transport)
    twin.post("chat", {})
    assert twin.retries.max_retries == 9
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"
    assert server.connections == 2
    twin.close()


class Body(dict[str, Any]):
    """A request body that can be watched."""


@pytest.mark.parametrize("reply", [as_json(HELLO), as_json({}, "400 Bad Request")])
async def test_nothing_of_a_request_is_kept(
    serve: Serve, connect: Connect, caller: Caller, reply: bytes
) -> None:
    server = serve(answers(reply))
    transport = connect(server.url)
    body = Body(text="the prompt")
    watched = weakref.ref(body)
    try:
        await caller.post(transport, body)
    except errors.KimiBadRequestError as error:
        error.__traceback__ = None
    del body
    gc.collect()
    assert watched() is None


async def cut(exchange: Exchange) -> None:
    await exchange.send(CHUNKED, event(token("a")))
    exchange.cut()


async def drop(exchange: Exchange) -> None:
    exchange.cut()


FAILURES: dict[str, Handler] = {
    "refused": answers(as_json({"error": {"message": f"bad key {KEY}"}}, "401 Unauthorized")),
    "echoed header": answers(http(f"Authorization: Bearer {KEY}".encode(), "400 Bad Request")),
    "www-authenticate": answers(http(b"", "401 No", WWW_Authenticate=f'Bearer token="{KEY}"')),
    "request id": answers(http(b"", "400 No", X_Request_Id=f"id-{KEY}")),
    "redirect": answers(http(b"", "302 Found", Location=f"http://other/?key={KEY}")),
    "garbage": answers(http(f"<p>{KEY}</p>".encode())),
    "error event": answers(CHUNKED + event({"error": {"message": KEY, "code": 400}}) + END),
    "malformed event": answers(CHUNKED + event(f"oops {KEY}") + END),
    "bad status line": answers(f"HTTP/9 {KEY}\r\n\r\n".encode()),
    "cut": cut,
    "drop": drop,
}


@pytest.mark.parametrize("name", FAILURES)
async def test_no_failure_shows_the_key(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    transport = connect(serve(FAILURES[name]).url, max_retries=0)
    for call in (caller.post, caller.stream):
        with pytest.raises(errors.KimiError) as caught:
            await call(transport)
        error = caught.value
        shown = f"{error!s} {error!r} {error.args} {vars(error)}"
        assert KEY not in shown + "".join(traceback.format_exception(error))
        assert KEY.encode() not in pickle.dumps(error)
        assert (error.__cause__, error.__context__) == (None, None)
    assert KEY not in caplog.text


async def test_a_key_of_any_form_is_removed(serve: Serve, connect: Connect) -> None:
    for key in ("short", "with/slash+and=sign", "0123456789abcdef"):
        server = serve(answers(as_json({"detail": f"<{key}> and {key}"}, "401 Unauthorized")))
        with pytest.raises(errors.KimiAuthenticationError) as caught:
            await connect(server.url, api_key=SecretStr(key)).apost("chat", {})
        assert key not in str(caught.value) + str(caught.value.body)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic dXNlcjpwYXNzd29yZA=="),
        ("X-Api-Key", "abc-123-def"),
        ("Cookie", "a=b1c2"),
    ],
)
async def test_a_key_in_a_header_is_removed(
    serve: Serve, connect: Connect, name: str, value: str
) -> None:
    bare = value.rsplit(" ", maxsplit=1)[-1]
    server = serve(answers(as_json({"detail": f"'{bare}' is wrong"}, "401 Unauthorized")))
    transport = connect(server.url, api_key=None, headers={name: value})
    with pytest.raises(errors.KimiAuthenticationError) as caught:
        await transport.apost("chat", {})
    assert server.requests[0].headers[name.lower()] == value
    assert bare not in str(caught.value) + str(caught.value.body)


UNREACHABLE: dict[str, dict[str, Any]] = {
    "refused": {},
    "key": {"api_key": SecretStr(f"{KEY}\n{KEY}")},
    "header": {"headers": {"X-Token": f"hidden-value\n{KEY}"}},
}


def shown_frames(error: BaseException) -> str:
    """Return a traceback as a crash reporter prints it: the frames of the package with locals."""
    frames = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    own = [frame for frame in frames if frame.filename.startswith(PACKAGE)]
    assert own
    return "".join(f"{frame.name}: {frame.locals}\n" for frame in own)


ECHOES = {"garbage", "error event", "malformed event"}
"""Replies with the key in text that was read as a success: a frame holds what the server said."""


@pytest.mark.parametrize("name", sorted(FAILURES.keys() - ECHOES))
async def test_no_frame_of_a_failure_shows_a_secret(
    serve: Serve, connect: Connect, caller: Caller, name: str
) -> None:
    server = serve(FAILURES[name])
    transport = connect(server.url, max_retries=1, headers={"X-Token": "hidden-value"})
    for call in (caller.post, caller.stream):
        with pytest.raises(errors.KimiError) as caught:
            await call(transport)
        shown = shown_frames(caught.value)
        assert KEY not in shown
        assert "hidden-value" not in shown


@pytest.mark.parametrize("name", UNREACHABLE)
async def test_no_frame_of_a_refused_setting_shows_a_secret(
    caller: Caller, unused: int, name: str
) -> None:
    settings: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{unused}/v1",
        "api_key": SecretStr(KEY),
        "endpoint": "vllm",
        "headers": {"X-Token": "hidden-value"},
        "timeout": Timeout(),
        "max_retries": 1,
        "verify_ssl": True,
        "polls_202": False,
    } | UNREACHABLE[name]
    with pytest.raises(errors.KimiError) as caught:
        await caller.post(Transport(**settings))
    shown = shown_frames(caught.value)
    assert KEY not in shown
    assert "hidden-value" not in shown


def test_headers_on_their_way_show_no_values() -> None:
    server = Server(base_url="http://h", endpoint="vllm", api_key=SecretStr(KEY))
    headers = server.request_headers(JSON, {"X-Token": "hidden-value"})
    assert headers.get_secret_value()["authorization"] == f"Bearer {KEY}"
    for shown in (repr(headers), str(headers), f"{vars(server)}", repr(server)):
        assert KEY not in shown
        assert "hidden-value" not in shown


@pytest.mark.parametrize("key", [KEY, "a-key-of-another-form"])
async def test_request_ids_are_cleaned_wherever_they_go(
    serve: Serve, connect: Connect, caller: Caller, key: str
) -> None:
    given = f"id-{key}-" + "x" * 500
    server = serve(answers(as_json(HELLO, X_Request_Id=given)))
    reply = await caller.post(connect(server.url, api_key=SecretStr(key)))
    head = f"HTTP/1.1 200 OK\r\nX-Request-Id: {given}\r\nTransfer-Encoding: chunked\r\n\r\n"
    streaming = serve(answers(head.encode() + event(token("a")) + event("[DONE]") + END))
    streamed = await caller.stream(connect(streaming.url, api_key=SecretStr(key)))
    for found in (reply.request_id, streamed.request_id):
        assert found is not None
        assert found.startswith("id-***")
        assert len(found) <= 200
        assert key not in found


async def test_a_plain_request_id_stays_as_it_is(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(as_json(HELLO, NVCF_REQID="7f9a0a3e-5c1e-4b55-8f2c-1d8a5e0f9c11")))
    reply = await caller.post(connect(server.url))
    assert reply.request_id == "7f9a0a3e-5c1e-4b55-8f2c-1d8a5e0f9c11"
