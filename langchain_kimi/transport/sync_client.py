"""The synchronous path: urllib3 pools that all threads share."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping

import urllib3

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.proxies import proxy_for
from langchain_kimi.transport.server import DRAIN_SECONDS, ERROR_BODY_LIMIT, Headers, Server
from langchain_kimi.transport.sync_pool import StaleError, make_pool
from langchain_kimi.transport.timeout import finite

READ_SIZE = 1 << 18
"""Bytes taken from the socket at most at once."""


class SyncClient:
    """Send requests over pooled connections; safe in threads and after a fork."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._pools: dict[tuple[int, str | None], urllib3.PoolManager] = {}
        self._proxies: dict[str, str | None] = {}

    def send(self, method: str, url: str, headers: Headers, body: bytes | None) -> SyncBody:
        """Send a request and return its reply once its headers are there.

        A kept connection that the server has dropped meanwhile is replaced once; that is no
        failure of the request and counts as no retry.
        """
        for may_be_stale in (True, False):
            failure: KimiError
            try:
                return self._send(method, url, headers, body)
            except urllib3.exceptions.NewConnectionError as error:
                failure = self._server.unreachable(url, error)
            except urllib3.exceptions.ConnectTimeoutError:
                failure = self._server.too_slow("connect")
            except urllib3.exceptions.ReadTimeoutError:
                failure = self._server.too_slow("response")
            except (urllib3.exceptions.HTTPError, OSError) as error:
                if may_be_stale and any(isinstance(cause, StaleError) for cause in error.args):
                    continue
                failure = self._server.unreachable(url, error)
            break
        raise failure

    def _send(self, method: str, url: str, headers: Headers, body: bytes | None) -> SyncBody:
        timeout = self._server.timeout
        first_byte_by = time.monotonic() + timeout.response
        response = self._pool(url).urlopen(
            method,
            url,
            body=body,
            headers=headers.get_secret_value(),
            redirect=False,
            retries=False,
            preload_content=False,
            timeout=urllib3.Timeout(connect=finite(timeout.connect), read=finite(timeout.response)),
        )
        return SyncBody(self._server, response, first_byte_by)

    def _pool(self, url: str) -> urllib3.PoolManager:
        origin = url.split("/", 3)[2]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url)
        key = os.getpid(), self._proxies[origin]
        pool = self._pools.get(key)
        if pool is None:
            with self._lock:
                pool = self._pools.get(key) or make_pool(self._server, key[1])
                self._pools[key] = pool
        return pool

    def close(self) -> None:
        """Close all idle connections."""
        while self._pools:
            self._pools.popitem()[1].clear()


class SyncBody:
    """A reply whose headers have come and whose body is coming."""

    def __init__(
        self, server: Server, response: urllib3.BaseHTTPResponse, first_byte_by: float
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._server = server
        self._response = response
        self._pieces = _pieces_of(response)
        self._first_byte_by: float | None = first_byte_by
        self._set_timeout(first_byte_by - time.monotonic())

    def read_some(self) -> bytes:
        """Return the bytes that are there, waiting for the first; empty at the end."""
        failure: KimiError
        try:
            data = next(self._pieces, b"")
        except urllib3.exceptions.ReadTimeoutError:
            phase = "idle" if self._first_byte_by is None else "response"
            failure = self._server.too_slow(phase, self.headers)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            failure = self._server.cut_off(self.headers, error)
        except BaseException:
            self.close()
            raise
        else:
            if self._first_byte_by is not None:
                self._first_byte_by = None
                self._set_timeout(self._server.timeout.idle)
            return data
        self.close()
        raise failure

    def read(self, limit: int | None = None) -> bytes:
        """Return the whole body, or its beginning where a limit of bytes is given."""
        pieces = []
        size = 0
        while data := self.read_some():
            pieces.append(data)
            size += len(data)
            if limit is not None and size >= limit:
                break
        self.close()
        return b"".join(pieces)

    def read_error(self) -> bytes:
        """Return the beginning of an error's body, or nothing where it breaks off."""
        with contextlib.suppress(KimiError):
            return self.read(ERROR_BODY_LIMIT)
        return b""

    def drain(self) -> None:
        """Read to the end if it is near, so that the connection can be used again."""
        end = time.monotonic() + DRAIN_SECONDS
        with contextlib.suppress(urllib3.exceptions.HTTPError, OSError):
            while (left := end - time.monotonic()) > 0:
                self._set_timeout(left)
                if not next(self._pieces, b""):
                    break
        self.close()

    def close(self) -> None:
        """Let go of the connection: back into the pool after the end, closed before it."""
        self._response.close()
        self._response.release_conn()

    def _set_timeout(self, seconds: float) -> None:
        """Set the timeout of the socket, as long as the connection is this reply's own."""
        sock = getattr(self._response.connection, "live_socket", None)
        if sock is not None:
            sock.settimeout(finite(seconds))


def _pieces_of(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """Return the pieces of a body as they come; reading by chunks costs a third of `read1`."""
    if response.chunked:
        return response.read_chunked(decode_content=True)
    return iter(lambda: response.read1(READ_SIZE), b"")
