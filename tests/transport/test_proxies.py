"""Proxies from the environment, and what is ignored there."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from langchain_kimi import errors
from langchain_kimi.transport import Transport
from langchain_kimi.transport.proxies import proxy_for

from .raw_server import HELLO, KEY, Caller, RawServer, answers, as_json, http, proxy_handler

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


def address(proxy: RawServer) -> str:
    return proxy.url.removesuffix("/v1")


async def test_plain_requests_take_the_proxy(
    serve: Serve, connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(answers(as_json(HELLO))), serve(proxy_handler())
    monkeypatch.setenv("HTTP_PROXY", address(proxy))
    assert (await caller.post(connect(server.url))).data == HELLO
    assert proxy.requests[0].target == f"{server.url}/chat"


async def test_tls_requests_take_a_tunnel(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
    ca_file: str,
) -> None:
    server, proxy = serve(answers(as_json(HELLO)), tls), serve(proxy_handler())
    monkeypatch.setenv("https_proxy", address(proxy).removeprefix("http://"))
    transport = connect(server.url, verify_ssl=ca_file)
    for _ in range(2):
        assert (await caller.post(transport)).data == HELLO
    (tunnel,) = proxy.requests
    assert (tunnel.method, tunnel.target) == ("CONNECT", f"localhost:{server.port}")
    assert "authorization" not in tunnel.headers
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


async def test_credentials_go_to_the_proxy_only(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
    ca_file: str,
) -> None:
    proxy = serve(proxy_handler(password="me:p@ss"))
    with_password = address(proxy).replace("http://", "http://me:p%40ss@")
    monkeypatch.setenv("HTTPS_PROXY", with_password)
    monkeypatch.setenv("HTTP_PROXY", with_password)
    for server in (serve(answers(as_json(HELLO)), tls), serve(answers(as_json(HELLO)))):
        transport = connect(server.url, verify_ssl=ca_file)
        assert (await caller.post(transport)).data == HELLO
        assert "proxy-authorization" not in server.requests[0].headers


async def test_a_proxy_that_refuses_is_a_connection_error_without_secrets(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    tls: ssl.SSLContext,
    ca_file: str,
) -> None:
    server = serve(answers(as_json(HELLO)), tls)
    proxy = serve(proxy_handler(password="me:right"))
    monkeypatch.setenv("HTTPS_PROXY", address(proxy).replace("http://", "http://me:wr0ng-pw@"))
    with pytest.raises(errors.KimiConnectionError, match="407") as caught:
        await caller.post(connect(server.url, verify_ssl=ca_file))
    assert "wr0ng-pw" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert server.requests == []


async def test_a_proxy_that_is_not_there(
    connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch, unused: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{unused}")
    with pytest.raises(errors.KimiConnectionError):
        await caller.post(connect("http://kimi.invalid/v1"))


async def test_no_proxy_is_respected(
    serve: Serve, connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(answers(as_json(HELLO))), serve(proxy_handler())
    monkeypatch.setenv("HTTP_PROXY", address(proxy))
    monkeypatch.setenv("NO_PROXY", "example.org,127.0.0.1")
    assert (await caller.post(connect(server.url))).data == HELLO
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "http://host/v1", None),
        ({"https_proxy": "http://p:1"}, "http://host/v1", None),
        ({"https_proxy": "http://p:1"}, "https://host/v1", "http://p:1"),
        ({"all_proxy": "http://p:1"}, "https://host/v1", "http://p:1"),
        ({"all_proxy": "socks5://p:1", "https_proxy": "http://p:2"}, "https://h/v1", "http://p:2"),
        ({"https_proxy": "p:1"}, "https://host/v1", "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, "https://host/v1", None),
        ({"https_proxy": "http://p:1", "no_proxy": ".corp"}, "https://a.corp:8/v1", None),
    ],
)
def test_which_proxy(
    environment: dict[str, str], url: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_for(url) == expected


async def test_a_socks_proxy_is_refused_with_the_way_out(
    connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with pytest.raises(errors.KimiInvalidInputError, match=r"HTTPS_PROXY.*NO_PROXY"):
        await caller.post(connect("https://kimi.invalid/v1"))


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized"])
async def test_netrc_is_ignored(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    status: str,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password wrong\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text(netrc.read_text())
    server = serve(answers(http(b"{}", status)))
    for key, expected in ((None, None), (KEY, f"Bearer {KEY}")):
        changes = {} if key else {"api_key": None}
        transport = connect(server.url, **changes)
        if status.startswith("200"):
            await caller.post(transport)
        else:
            with pytest.raises(errors.KimiAuthenticationError):
                await caller.post(transport)
        assert server.requests[-1].headers.get("authorization") == expected


@pytest.mark.parametrize("proxy", ["http://me:PASSWORD9@host:abc", "http://[::1", "http://:99999"])
async def test_a_proxy_that_is_no_address_is_named_by_its_variable(
    connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(errors.KimiInvalidInputError, match="HTTP_PROXY") as caught:
        await caller.post(connect("http://model.example/v1"))
    assert "PASSWORD9" not in str(caught.value)
