"""One aiohttp session for each event loop, closed when the loop or its owner goes."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import socket
import threading
import weakref
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp

from langchain_kimi.transport.proxies import proxy_for
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.sockets import KEEP_SECONDS, socket_options
from langchain_kimi.transport.timeout import finite
from langchain_kimi.transport.tls import ssl_context

OPENED: ContextVar[list[bool]] = ContextVar("langchain_kimi_opened_sockets")
"""The running request's note of the sockets it had to open; empty where it reused one."""


class AsyncPools:
    """Give each event loop its own pool.

    A loop ends its pool through `loop.shutdown_asyncgens()`, which `asyncio.run` and every loop
    runner call; a loop that was closed without it is noticed when the next loop asks for a pool.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self._pools: dict[asyncio.AbstractEventLoop, Pool] = {}
        weakref.finalize(self, _close_all, self._pools).atexit = False

    def current(self) -> Pool | None:
        """Return the pool of the running loop, where it has an open one."""
        pool = self._pools.get(asyncio.get_running_loop())
        return None if pool is None or pool.session.closed or pool.is_inherited else pool

    async def open(self) -> Pool:
        """Make a pool for the running loop."""
        for other in list(self._pools):
            if other.is_closed():
                self._pools.pop(other).close()
        loop = asyncio.get_running_loop()
        if (former := self._pools.get(loop)) is not None and former.is_inherited:
            former.leave()
        pool = self._pools[loop] = Pool(loop, self._server)
        await pool.open(self._pools)
        return pool

    def close(self) -> None:
        """Close the pools of all loops, each in its loop."""
        _close_all(self._pools)

    async def aclose(self) -> None:
        """Close the pool of the running loop now, those of other loops in theirs."""
        own = self._pools.pop(asyncio.get_running_loop(), None)
        if own is not None and not own.is_inherited:
            await own.end()
        self.close()


class Pool:
    """The session of one event loop.

    Attributes:
        session: The aiohttp session.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, server: Server) -> None:
        self._loop = loop
        self._process = os.getpid()
        self._thread = threading.get_ident()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._proxies: dict[str, str | None] = {}
        self._life: AsyncGenerator[None, None] | None = None
        self._closing: asyncio.Task[None] | None = None
        secure = server.base_url.startswith("https")
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                ssl=ssl_context(server.verify_ssl) if secure else True,
                socket_factory=partial(_open_socket, self._sockets),
                keepalive_timeout=KEEP_SECONDS,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=finite(server.timeout.connect)),
        )

    async def open(self, siblings: dict[asyncio.AbstractEventLoop, Pool]) -> None:
        """Tie the session to the end of its loop."""
        _remember_until_exit(self)
        self._life = _live(self._loop, self.session, siblings)
        await anext(self._life)

    async def end(self) -> None:
        """Close the session, in its loop."""
        if self._life is not None and not self.session.closed:
            await self._life.aclose()

    @property
    def is_inherited(self) -> bool:
        """Whether the connections are a parent's: a forked process must leave them alone."""
        return self._process != os.getpid()

    def proxy(self, url: str) -> str | None:
        """Return the proxy for a URL, as the environment said when it was first asked."""
        origin = url.split("/", 3)[2]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(url)
        return self._proxies[origin]

    def close(self) -> None:
        """Close the session from anywhere, now unless its loop runs or is another thread's."""
        if self.session.closed:
            return
        if self.is_inherited:
            self.leave()
            return
        if self._rests_here():
            self._loop.run_until_complete(self.end())
            return
        try:
            self._loop.call_soon_threadsafe(self._close_in_loop)
        except RuntimeError:  # the loop is closed
            self._close_without_loop()

    def close_at_exit(self) -> None:
        """Close the session when the interpreter ends and its loop was never closed."""
        if self.is_inherited:
            self.leave()
        elif not self._loop.is_running() and not self._loop.is_closed():
            self._loop.run_until_complete(self.end())

    def leave(self) -> None:
        """Let go of a parent's connections without touching them.

        The sockets go first: a loop that closes an open one takes it out of the selector, which a
        forked process shares with its parent.
        """
        for opened in list(self._sockets):
            opened.close()
        with contextlib.suppress(StopIteration):
            self.session.close().send(None)

    def _rests_here(self) -> bool:
        """Whether the loop was stopped in this thread, and nothing but this thread may start it."""
        if self._loop.is_closed() or self._loop.is_running():
            return False
        if self._thread != threading.get_ident():
            return False
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return True
        return False

    def _close_without_loop(self) -> None:
        """Close session and sockets, which nothing else would close before they are collected."""
        with contextlib.suppress(StopIteration):
            self.session.close().send(None)
        for opened in list(self._sockets):
            opened.close()

    def _close_in_loop(self) -> None:
        self._closing = self._loop.create_task(self.end())


_living: weakref.WeakSet[Pool] = weakref.WeakSet()


def _remember_until_exit(pool: Pool) -> None:
    if not _living:
        atexit.unregister(_close_at_exit)
        atexit.register(_close_at_exit)
    _living.add(pool)


def _close_at_exit() -> None:
    for pool in list(_living):
        pool.close_at_exit()


def _close_all(pools: dict[asyncio.AbstractEventLoop, Pool]) -> None:
    while pools:
        pools.popitem()[1].close()


async def _live(
    loop: asyncio.AbstractEventLoop,
    session: aiohttp.ClientSession,
    siblings: dict[asyncio.AbstractEventLoop, Pool],
) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await session.close()
        current = siblings.get(loop)
        if current is not None and current.session is session:
            del siblings[loop]


def _open_socket(kept: weakref.WeakSet[socket.socket], address: tuple[Any, ...]) -> socket.socket:
    """Open a socket for aiohttp, and note it, and that the running request needed one."""
    family, kind, protocol = address[:3]
    OPENED.get([]).append(True)
    opened = socket.socket(family=family, type=kind, proto=protocol)
    for option in socket_options():
        opened.setsockopt(*option)
    kept.add(opened)
    return opened
