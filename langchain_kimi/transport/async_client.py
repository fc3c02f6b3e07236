"""The asynchronous path: one aiohttp session for each event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import Any

import aiohttp

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.proxies import proxy_for
from langchain_kimi.transport.server import ERROR_BODY_LIMIT, Server
from langchain_kimi.transport.timeout import finite
from langchain_kimi.transport.tls import ssl_context

DRAIN_SECONDS = 0.25
"""How long the end of a stream is waited for after `[DONE]`, so that its connection is reused."""


class AsyncClient:
    """Send requests over pooled connections, one pool for each event loop."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pools: dict[asyncio.AbstractEventLoop, _Pool] = {}

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> AsyncBody:
        """Send a request and return its reply once its headers are there."""
        pool = await self._pool()
        timeout = self._server.timeout
        started = asyncio.get_running_loop().time()
        failure: KimiError
        try:
            async with asyncio.timeout(finite(timeout.response)):
                response = await pool.session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    proxy=pool.proxy(url),
                    allow_redirects=False,
                )
        except aiohttp.ConnectionTimeoutError:
            failure = self._server.too_slow("connect")
        except TimeoutError:
            failure = self._server.too_slow("response")
        except aiohttp.ClientResponseError as error:
            failure = self._server.unreachable(url, f"{error.status} {error.message}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = self._server.unreachable(url, error)
        else:
            return AsyncBody(self._server, response, started + timeout.response)
        raise failure

    async def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None or pool.session.closed:
            for other in [known for known in self._pools if known.is_closed()]:
                self._pools.pop(other).close()
            pool = self._pools[loop] = _Pool(self._server)
            await pool.open()
        return pool

    def close(self) -> None:
        """Close the pools of all loops."""
        while self._pools:
            self._pools.popitem()[1].close()

    async def aclose(self) -> None:
        """Close the pool of the running loop at once, and those of other loops in theirs."""
        own = self._pools.pop(asyncio.get_running_loop(), None)
        if own is not None:
            await own.aclose()
        self.close()


class AsyncBody:
    """A reply whose headers have come and whose body is coming."""

    def __init__(
        self, server: Server, response: aiohttp.ClientResponse, first_byte_by: float
    ) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self._server = server
        self._response = response
        self._first_byte_by: float | None = first_byte_by

    async def read_some(self) -> bytes:
        """Return the bytes that are there, waiting for the first; empty at the end."""
        content = self._response.content
        phase = "idle"
        failure: KimiError
        try:
            data = content.read_nowait()
            if not data and not content.at_eof():
                if self._first_byte_by is None:
                    limit = finite(self._server.timeout.idle)
                else:
                    phase = "response"
                    limit = finite(self._first_byte_by - asyncio.get_running_loop().time())
                async with asyncio.timeout(limit):
                    data = await content.readany()
        except TimeoutError:
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
        while data := await self.read_some():
            pieces.append(data)
            size += len(data)
            if limit is not None and size >= limit:
                self.close()
                break
        return b"".join(pieces)

    async def read_error(self) -> bytes:
        """Return the beginning of an error's body, or nothing where it breaks off."""
        with contextlib.suppress(Exception):
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
        """Let go of the connection: back into the pool after the end, closed before it."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class _Pool:
    """The session of one event loop."""

    def __init__(self, server: Server) -> None:
        self._loop = asyncio.get_running_loop()
        self._proxies: dict[str, str | None] = {}
        self._life: AsyncGenerator[None, None] | None = None
        timeout = aiohttp.ClientTimeout(total=None, connect=finite(server.timeout.connect))
        secure = server.base_url.startswith("https")
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0, ssl=ssl_context(server.verify_ssl) if secure else True
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=timeout,
            auto_decompress=True,
        )

    async def open(self) -> None:
        """Tie the session to its loop: `loop.shutdown_asyncgens()` ends the generator."""
        self._life = _close_at_end(self.session)
        await anext(self._life)

    def proxy(self, url: str) -> str | None:
        """Return the proxy for a URL, as the environment said when it was first asked."""
        origin = url.split("/", 3)[2]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url)
        return self._proxies[origin]

    async def aclose(self) -> None:
        """Close the session from inside its loop."""
        await self.session.close()

    def close(self) -> None:
        """Close the session from outside: in its loop while that runs, by hand otherwise."""
        if self._loop.is_running():
            self._loop.call_soon_threadsafe(self._loop.create_task, self.session.close())
        else:
            _step(self.session.close())


async def _close_at_end(session: aiohttp.ClientSession) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()


def _step(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine up to its first wait, for a loop that does not run."""
    with contextlib.suppress(StopIteration, RuntimeError):
        coroutine.send(None)
    coroutine.close()
