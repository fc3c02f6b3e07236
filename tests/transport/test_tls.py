"""Certificates: the system's, one's own, none."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from langchain_kimi import errors
from langchain_kimi.transport import Transport

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    Caller,
    RawServer,
    answers,
    as_json,
    event,
    token,
)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


async def test_an_unknown_authority_is_refused_at_once(
    serve: Serve, connect: Connect, caller: Caller, tls: ssl.SSLContext
) -> None:
    server = serve(answers(as_json(HELLO)), tls)
    with pytest.raises(errors.KimiConnectionError, match=r"verify_ssl=") as caught:
        await caller.post(connect(server.url))
    assert not caught.value.is_retryable
    assert server.requests == []


async def test_ones_own_authority_is_trusted(
    serve: Serve, connect: Connect, caller: Caller, tls: ssl.SSLContext, ca_file: str
) -> None:
    server = serve(answers(as_json(HELLO)), tls)
    transport = connect(server.url, verify_ssl=ca_file)
    for _ in range(3):
        assert (await caller.post(transport)).data == HELLO
    assert server.connections == 1


async def test_a_directory_of_authorities_is_trusted(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    tls: ssl.SSLContext,
    ca_file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(answers(as_json(HELLO)), tls)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_file)
    assert (await caller.post(connect(server.url))).data == HELLO
    with pytest.raises(errors.KimiConnectionError):
        await caller.post(connect(server.url, verify_ssl=str(tmp_path)))


async def test_a_name_that_does_not_match_is_refused(
    serve: Serve, connect: Connect, caller: Caller, authority: trustme.CA, ca_file: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("other.example").configure_cert(context)
    server = serve(answers(as_json(HELLO)), context)
    with pytest.raises(errors.KimiConnectionError):
        await caller.post(connect(server.url, verify_ssl=ca_file))
    assert server.requests == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # urllib3 says so, rightly
async def test_verification_can_be_switched_off(
    serve: Serve, connect: Connect, caller: Caller, tls: ssl.SSLContext
) -> None:
    server = serve(answers(as_json(HELLO)), tls)
    assert (await caller.post(connect(server.url, verify_ssl=False))).data == HELLO


async def test_streams_over_tls(
    serve: Serve, connect: Connect, caller: Caller, tls: ssl.SSLContext, ca_file: str
) -> None:
    server = serve(answers(CHUNKED + event(token("a")) + event("[DONE]") + END), tls)
    transport = connect(server.url, verify_ssl=ca_file)
    for _ in range(2):
        assert (await caller.stream(transport)).text == "a"
    assert server.connections == 1


async def test_a_missing_ca_file_is_named(connect: Connect, caller: Caller) -> None:
    transport = connect("https://127.0.0.1:9/v1", verify_ssl="/no/such/ca.pem")
    with pytest.raises(errors.KimiInvalidInputError, match=r"/no/such/ca\.pem"):
        await caller.post(transport)
