"""Routes beside LangGraph Server's own: `app` is named in langgraph.json as `http.app`.

`/healthz` answers while the process does. `KIMI_METRICS=1` adds figures to the server's `/metrics`;
`KIMI_TRACES=1` sends OpenTelemetry spans.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain_core.utils.env import env_var_is_set
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

METRICS, TRACES, CONTENT = "KIMI_METRICS", "KIMI_TRACES", "KIMI_TRACES_CONTENT"


async def healthz(_request: Request) -> JSONResponse:
    """Say that the process answers."""
    return JSONResponse({"status": "ok"})


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Begin to observe what the environment asks for; send what waits at the end."""
    if env_var_is_set(METRICS):
        from langchain_kimi.server.metrics import gather  # noqa: PLC0415 - an extra

        gather()
    if not env_var_is_set(TRACES):
        yield
        return
    from langchain_kimi.server.traces import trace  # noqa: PLC0415 - an extra

    provider = trace(content=os.environ.get(CONTENT) == "1")
    try:
        yield
    finally:
        provider.shutdown()


app = Starlette(routes=[Route("/healthz", healthz)], lifespan=lifespan)
