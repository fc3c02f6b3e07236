"""Routes beside the server's own: `app` is named in langgraph.json as `http.app`.

`/healthz` answers while the process does. `KIMI_METRICS=1` adds figures to the server's `/metrics`;
`KIMI_TRACES=1` sends OpenTelemetry spans. LangGraph Server takes any Starlette application, Aegra
only one of FastAPI.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from langchain_core.utils.env import env_var_is_set

from langchain_kimi.server.auth import auth
from langchain_kimi.server.settings import gate, is_guarded

__all__ = [
    "app",
    "auth",
]  # imported here too: Aegra goes on without an `auth` that cannot be loaded

METRICS, TRACES, CONTENT = "KIMI_METRICS", "KIMI_TRACES", "KIMI_TRACES_CONTENT"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Begin to observe what the environment asks for; send what waits at the end.

    Raises:
        ValueError: When what is named for authentication cannot be used: the server does not start.
    """
    if is_guarded():
        gate()
    async with AsyncExitStack() as observed:
        if env_var_is_set(METRICS):
            await observed.enter_async_context(_metrics())
        if env_var_is_set(TRACES):
            observed.callback(_traces())
        yield


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


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}
