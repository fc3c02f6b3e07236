"""Figures and traces of a process, as the environment asks for them; off unless it does."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

from langchain_core.utils.env import env_var_is_set

METRICS, TRACES, CONTENT = "KIMI_METRICS", "KIMI_TRACES", "KIMI_TRACES_CONTENT"
METRICS_PORT = "KIMI_METRICS_PORT"


@asynccontextmanager
async def observed() -> AsyncIterator[None]:
    """Observe what the environment asks for until the end of the block; send what waits then."""
    async with AsyncExitStack() as stack:
        if env_var_is_set(METRICS):
            await stack.enter_async_context(_metrics())
        if env_var_is_set(TRACES):
            stack.callback(_traces())
        yield


@contextmanager
def shown_metrics() -> Iterator[None]:
    """Show the figures on `KIMI_METRICS_PORT`, for a process that is no server.

    Raises:
        ValueError: When the port is no number, or `KIMI_METRICS` is not set.
        OSError: When the port is taken.
    """
    port = os.environ.get(METRICS_PORT)
    if not port:
        yield
        return
    if not port.isdecimal() or not env_var_is_set(METRICS):
        msg = f"{METRICS_PORT}={port!r} needs {METRICS}=1, and to be the number of a port."
        raise ValueError(msg)
    from prometheus_client import start_http_server  # noqa: PLC0415 - an extra

    server, thread = start_http_server(int(port))
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@asynccontextmanager
async def _metrics() -> AsyncIterator[None]:
    from langchain_kimi.server.metrics import gather  # noqa: PLC0415 - an extra
    from langchain_kimi.server.queues import watched_queues  # noqa: PLC0415 - an extra

    gather()
    async with watched_queues():
        yield


def _traces() -> Callable[[], None]:
    from langchain_kimi.server.traces import trace  # noqa: PLC0415 - an extra

    return trace(content=env_var_is_set(CONTENT)).shutdown
