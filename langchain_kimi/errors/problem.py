"""What the body of an error says, whatever its shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_kimi.errors.redaction import READ_LIMIT

_KEPT = READ_LIMIT + 1
"""Characters of a text that are kept: one more than are shown or matched, to tell a cut one."""

_LAYERS = 5
"""Wrappers around a message that are taken off: `{"error": {"detail": {...}}}`."""

_LISTED = 20
"""Entries of a list of validation errors that are read."""


@dataclass(frozen=True)
class Problem:
    """What a body says: every text of bounded length, every field of the type it should have."""

    text: str = ""
    kind: str = ""
    param: str | None = None
    status: int | None = None
    request_id: str | None = None


def read_body(body_text: str) -> Problem:
    """Read the body of an HTTP reply; a body of no known shape is its own text."""
    try:
        payload = json.loads(body_text)
    except (ValueError, RecursionError):
        payload = None
    return read_problem(payload, body_text)


def read_problem(payload: Any, body_text: str) -> Problem:
    """Read a decoded error body of any shape; one of no known shape is its own text.

    Args:
        payload: The decoded body.
        body_text: The body as it came.
    """
    request_id = None
    for _ in range(_LAYERS):
        if not isinstance(payload, Mapping):
            break
        request_id = request_id or _name(payload.get("requestId") or payload.get("request_id"))
        inner, detail = payload.get("error"), payload.get("detail")
        if isinstance(inner, Mapping):
            payload = inner
        elif isinstance(detail, Mapping):
            payload = detail
        elif isinstance(detail, list) and detail:
            return _read_validation(detail, request_id)
        else:
            return _read_fields(payload, body_text, request_id)
    return Problem(_bounded(body_text), request_id=request_id)


def _read_fields(payload: Mapping[str, Any], body_text: str, request_id: str | None) -> Problem:
    said = ("message", "detail", "error", "title", "msg")
    texts = (payload.get(name) for name in said)
    text = next((text for text in texts if text and isinstance(text, str)), body_text)
    kinds = (payload.get("type"), payload.get("code"))
    param = payload.get("param")
    return Problem(
        text=_bounded(text),
        kind=" ".join(kind[:_KEPT] for kind in kinds if isinstance(kind, str)),
        param=param[:_KEPT] if isinstance(param, str) else None,
        status=_status(payload.get("code", payload.get("status"))),
        request_id=request_id,
    )


def _read_validation(detail: list[Any], request_id: str | None) -> Problem:
    """Read FastAPI's list of validation errors."""
    entries = [entry for entry in detail[:_LISTED] if isinstance(entry, Mapping)]
    paths = [_path(entry.get("loc")) for entry in entries]
    extra = [
        path[-1]
        for entry, path in zip(entries, paths, strict=True)
        if path and entry.get("type") == "extra_forbidden"
    ]
    if extra:
        text = f"Unsupported parameter(s): {', '.join(extra)}"
        return Problem(_bounded(text), "extra_forbidden", request_id=request_id)
    lines = [
        f"{'.'.join(path)}: {entry.get('msg', '')!s:.{_KEPT}}"
        for entry, path in zip(entries, paths, strict=True)
    ]
    return Problem(_bounded("; ".join(lines) or json.dumps(detail)), request_id=request_id)


def _path(loc: Any) -> list[str]:
    if isinstance(loc, list):
        return [str(part)[:_KEPT] for part in loc if isinstance(part, str | int)]
    return [loc[:_KEPT]] if isinstance(loc, str) else []


def _status(code: Any) -> int | None:
    """Return a code that is an HTTP status of a failure, as a number or as digits."""
    if isinstance(code, str) and len(code) == len("400") and code.isdecimal():
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and 400 <= code < 600:
        return code
    return None


def _name(value: Any) -> str | None:
    return value[:_KEPT] if isinstance(value, str) and value else None


def _bounded(text: str) -> str:
    return text[:_KEPT].lstrip()
