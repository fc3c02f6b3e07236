"""The asynchronous path, on aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import Mapping

import aiohttp
from yarl import URL

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.async_pool import OPENED, AsyncPools
from langchain_kimi.transport.server import (
    DRAIN_SECONDS,
    ERROR_BODY_LIMIT,
    STALE_SECONDS,
    Headers,
    Server,
)
from langchain_kimi.transport.timeout import finite

AT_ONCE = 1 << 20
"""Bytes of a request that aiohttp takes in one piece without a warning."""


class AsyncClient:
    """Send requests over pooled connections, from any event loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.pools = AsyncPools(server)

    async def send(self, method: str, url: str, headers: Headers, body: bytes | None) -> AsyncBody:
        """Send a request and return its reply once its headers are there.

        A kept connection that the server has dropped meanwhile is replaced once; that is no
        failure of the request and counts as no retry.
        """
        timeout = self._server.timeout
        for may_be_stale in (True, False):
            opened: list[bool] = []
            started = time.monotonic()
            token = OPENED.set(opened)
            failure: KimiError | asyncio.CancelledError
            try:
                pool = self.pools.current() or await self.pools.open()
                first_byte_by = asyncio.get_running_loop().time() + timeout.response
                async with asyncio.timeout(finite(timeout.response)):
                    response = await pool.session.request(
                        method,
                        URL(url, encoded="%" in url),  # a signed query must stay as it is
                        data=io.BytesIO(body) if body and len(body) > AT_ONCE else body,
                        headers=headers.get_secret_value(),
                        proxy=pool.proxy(url),
                        allow_redirects=False,
                    )
                return AsyncBody(self._server, response, first_byte_by)
            except asyncio.CancelledError as error:
                # raised again below: frames of aiohttp, which tracebacks may show, hold the headers
                failure = error.with_traceback(None)
            except aiohttp.ConnectionTimeoutError:
                failure = self._server.too_slow("connect")
            except TimeoutError:
                failure = self._server.too_slow("response")
            except aiohttp.ClientConnectorError as error:
                failure = self._server.unreachable(url, error)
            except aiohttp.ClientResponseError as error:
                failure = self._server.unreachable(url, f"{error.status} {error.message}")
            except (aiohttp.ClientError, OSError) as error:
                at_once = time.monotonic() - started < STALE_SECONDS
                if may_be_stale and not opened and at_once:
                    continue
                failure = self._server.unreachable(url, error)
            finally:
                OPENED.reset(token)
            break
        raise failure


class AsyncBody:
    """A reply whose headers have come and whose body is coming."""

    def __init__(
        self, server: Server, response: aiohttp.ClientResponse, first_byte_by: float
    ) -> None:
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self._server = server
        self._response = response
        self._first_byte_by: float | None = first_byte_by

    async def read_some(self) -> bytes:
        """Return the bytes that are there, waiting for the first; empty at the end.

        Raises:
            KimiTimeoutError: If nothing comes in time.
            KimiTruncatedStreamError: If the connection breaks.
        """
        content = self._response.content
        failure: KimiError
        try:
            data = content.read_nowait()
            if not data and not content.at_eof():
                async with asyncio.timeout(self._patience()):
                    data = await content.readany()
        except TimeoutError:
            phase = "idle" if self._first_byte_by is None else "response"
            failure = self._server.too_slow(phase, self.headers)
        except (aiohttp.ClientError, OSError) as error:
            failure = self._server.cut_off(self.headers, error)
        except BaseException:
            self.close()
            raise
        else:
            self._first_byte_by = None
            return data
        self.close()
        raise failure

    async def read(self, limit: int | None = None) -> bytes:
        """Return the whole body, or its beginning where a limit of bytes is given."""
        pieces = []
        size = 0
        at_eof = self._response.content.at_eof
        while not at_eof() and (data := await self.read_some()):
            pieces.append(data)
            size += len(data)
            if limit is not None and size >= limit:
                break
        self.close()
        return b"".join(pieces)

    async def read_error(self) -> bytes:
        """Return the beginning of an error's body, or nothing where it breaks off."""
        with contextlib.suppress(KimiError):
            return await self.read(ERROR_BODY_LIMIT)
        return b""

    async def drain(self) -> None:
        """Read to the end if it is near, so that the connection can be used again."""
        with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while await self._response.content.readany():
                    continue
        self.close()

    def close(self) -> None:
        """Close the connection, unless the end was read: then it is in the pool already."""
        if self._response.connection is not None:
            self._response.close()

    def _patience(self) -> float | None:
        if self._first_byte_by is None:
            return finite(self._server.timeout.idle)
        return finite(self._first_byte_by - asyncio.get_running_loop().time())
