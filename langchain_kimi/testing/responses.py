"""Error responses in a dialect's shape, and the type of a route."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.failures import ErrorReply
from langchain_kimi.testing.record import Exchange
from langchain_kimi.testing.refusal import Refusal

Answer = Callable[[web.Request, Exchange], Awaitable[web.StreamResponse]]
Route = tuple[str, str, Answer]


def error_response(dialect: Dialect, refusal: Refusal) -> web.Response:
    """Write a refusal."""
    body = dialect.error_body(refusal)
    headers = {"Content-Type": "application/json", **body.headers}
    return web.Response(status=refusal.status, body=body.text.encode(), headers=headers)


def failure_response(dialect: Dialect, failure: ErrorReply) -> web.Response:
    """Write a scripted error."""
    refusal = Refusal(failure.status, failure.message, kind=failure.kind)
    response = error_response(dialect, refusal)
    if failure.body is not None:
        response.body = failure.body.encode()
    response.headers.update(failure.headers)
    if failure.retry_after_header is not None:
        response.headers["Retry-After"] = failure.retry_after_header
    return response
