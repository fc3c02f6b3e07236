"""Routes beside the server's own: `app` is named in langgraph.json as `http.app`.

`/healthz` answers while the process does; `/swarms` steers background runs. `KIMI_METRICS=1` adds
figures to the server's `/metrics`; `KIMI_TRACES=1` sends OpenTelemetry spans. LangGraph Server
takes any Starlette application, Aegra only one of FastAPI.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from langchain_kimi.server.auth import auth
from langchain_kimi.server.observed import observed
from langchain_kimi.server.settings import gate, is_guarded
from langchain_kimi.server.swarms import swarms

__all__ = [
    "app",
    "auth",
]  # imported here too: Aegra goes on without an `auth` that cannot be loaded


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Begin to observe what the environment asks for; send what waits at the end.

    Raises:
        ValueError: When what is named for authentication cannot be used: the server does not start.
    """
    if is_guarded():
        gate()
    async with observed():
        yield


app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(swarms)


@app.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}
