"""urllib3 pools whose connections tell when they are stale and take their time to send."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from langchain_kimi.transport.server import STALE_SECONDS, Server
from langchain_kimi.transport.sockets import KEEP_SECONDS, socket_options
from langchain_kimi.transport.timeout import finite
from langchain_kimi.transport.tls import ssl_context

POOL_SIZE = 1000
"""Idle connections kept for each host; beyond that a connection serves one request."""


class StaleError(http.client.HTTPException):
    """A kept connection turned out to be closed by the server before it replied."""


def make_pool(server: Server, proxy: str | None) -> urllib3.PoolManager:
    """Return the pools for a server's connections, through a proxy where one is given."""
    settings: dict[str, Any] = {
        "maxsize": POOL_SIZE,
        "block": False,
        "socket_options": socket_options(),
    }
    if server.base_url.startswith("https"):
        settings["ssl_context"] = ssl_context(server.verify_ssl)
        if server.verify_ssl is False:
            settings |= {"cert_reqs": "CERT_NONE", "assert_hostname": False}
    if proxy is None:
        pool = urllib3.PoolManager(**settings)
    else:
        pool = urllib3.ProxyManager(proxy, proxy_headers=_proxy_headers(proxy), **settings)
    pool.pool_classes_by_scheme = _pool_classes(finite(server.timeout.response))
    return pool


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=credentials))


def _pool_classes(send_timeout: float | None) -> dict[str, type[HTTPConnectionPool]]:
    """Return pools of connections that differ from urllib3's own in four ways.

    They are renewed after a minute of rest. They send under `send_timeout`: urllib3 sends under
    the connect timeout, which a large image on a slow line exceeds. They keep their socket in
    sight, so that its timeout can be changed while a reply is read. They tell a stale connection
    from a server that fails.
    """

    class Connection(HTTPConnection):
        live_socket: socket.socket | None = None
        is_fresh = True
        sent_at = 0.0
        answered_at = 0.0

        @property
        def is_connected(self) -> bool:
            rested = time.monotonic() - self.answered_at
            return rested < KEEP_SECONDS and super().is_connected

        def connect(self) -> None:
            super().connect()
            self.live_socket = self.sock
            self.is_fresh = True

        def request(self, *args: Any, **kwargs: Any) -> None:
            if self.is_closed:
                self.connect()
            self.timeout = send_timeout
            self.sent_at = time.monotonic()
            with self._staleness():
                super().request(*args, **kwargs)

        def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's
            with self._staleness():
                response = super().getresponse()
            self.answered_at = time.monotonic()
            self.is_fresh = False
            return response

        @contextlib.contextmanager
        def _staleness(self) -> Iterator[None]:
            try:
                yield
            except TimeoutError:
                raise
            except (OSError, http.client.RemoteDisconnected) as error:
                if self.is_fresh or time.monotonic() - self.sent_at > STALE_SECONDS:
                    raise
                raise StaleError(str(error)) from error

    class TlsConnection(Connection, HTTPSConnection):
        pass

    class Pool(HTTPConnectionPool):
        ConnectionCls = Connection

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = TlsConnection

    return {"http": Pool, "https": TlsPool}
