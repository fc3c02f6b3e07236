"""Failures: turns of a script that are HTTP errors, in the shape of the dialect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, ClassVar

from langchain_kimi.testing.script import Part, Place


@dataclass(frozen=True)
class ErrorReply(Part):
    """An HTTP error; what is None is filled in by the dialect."""

    status: int
    message: str | None = None
    kind: str | None = None
    retry_after: float | datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    place: ClassVar[Place] = Place.ALONE

    @property
    def retry_after_header(self) -> str | None:
        """Return the Retry-After value: seconds as digits, or an HTTP date."""
        if isinstance(self.retry_after, datetime):
            return format_datetime(self.retry_after.astimezone(UTC), usegmt=True)
        return None if self.retry_after is None else f"{self.retry_after:g}"


def error(
    status: int = 500,
    message: str | None = None,
    *,
    kind: str | None = None,
    retry_after: float | datetime | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | Mapping[str, Any] | None = None,
) -> ErrorReply:
    """Answer with an HTTP error in the dialect's own body shape.

    Args:
        status: The HTTP status.
        message: The text; None takes the one the dialect is known to use.
        kind: The error's ``type``; None takes the dialect's own for that status.
        retry_after: Seconds, or a date, for the Retry-After header.
        headers: More response headers.
        body: The whole body instead: text, or a mapping sent as JSON.
    """
    if isinstance(body, Mapping):
        body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return ErrorReply(status, message, kind, retry_after, dict(headers or {}), body)


def unauthorized() -> ErrorReply:
    """401: the key is missing or wrong."""
    return error(401)


def forbidden() -> ErrorReply:
    """403: the key may not do this."""
    return error(403)


def retired() -> ErrorReply:
    """404, in NVIDIA's words for a retired model that its listing still shows."""
    return error(404)


def gone() -> ErrorReply:
    """410: the model was here once."""
    return error(410)


def rate_limited(retry_after: float | datetime | None = None) -> ErrorReply:
    """429, with Retry-After in seconds or as a date when given."""
    return error(429, retry_after=retry_after)


def out_of_quota() -> ErrorReply:
    """429 that no waiting mends: the account's quota is used up."""
    return error(429, kind="exceeded_current_quota_error")


def content_filtered() -> ErrorReply:
    """400: the request or the answer was considered high risk."""
    message = "The request was rejected because it was considered high risk"
    return error(400, message, kind="content_filter")


def server_error(status: int = 500, *, html: bool = False) -> ErrorReply:
    """5xx, as JSON or as a proxy's HTML page."""
    if not html:
        return error(status)
    page = f"<html><head><title>{status}</title></head><body><h1>{status}</h1></body></html>\r\n"
    return error(status, body=page, headers={"Content-Type": "text/html"})
