"""From what a server says to the error that it means."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from langchain_kimi.errors.classify import ADVICE, classify, status_of_kind, unsupported_parameters
from langchain_kimi.errors.hierarchy import KimiError, KimiUnsupportedParameterError
from langchain_kimi.errors.problem import Problem, read_body, read_problem
from langchain_kimi.errors.redaction import clean_name, redact_beginning
from langchain_kimi.errors.retry_after import parse_retry_after

BODY_LIMIT = 2000
"""Characters of a reply's body that an error keeps."""

REQUEST_ID_HEADERS = ("x-request-id", "nvcf-reqid", "request-id", "x-trace-id")


def from_response(
    status: int,
    headers: Mapping[str, str],
    body_text: str,
    endpoint: str | None,
    *,
    url: str | None = None,
    secrets: Iterable[str] = (),
) -> KimiError:
    """Map an HTTP reply that is no success to an error; the error is returned, not raised.

    Understands the bodies of Moonshot and vLLM (`{"error": {...}}`), SGLang and older vLLM
    (`{"object": "error", ...}`), NVIDIA (`{"status", "title", "detail"}`), FastAPI
    (`{"detail": ...}`), and bodies that are no JSON.

    Args:
        status: HTTP status.
        headers: Reply headers; names in any case.
        body_text: Reply body.
        endpoint: Name of the endpoint, for the message.
        url: Address that answered, for the message.
        secrets: Values that must not appear in the error, such as the API key.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    problem = read_body(body_text)
    if not problem.text and "www-authenticate" in lowered:
        problem = Problem(lowered["www-authenticate"])
    if 300 <= status < 400 and "location" in lowered:
        problem = Problem(f"it points to {lowered['location']}")
    reply = _Reply(
        status=status,
        body=body_text,
        request_id=request_id_of(lowered) or problem.request_id,
        retry_after=parse_retry_after(lowered.get("retry-after")),
        origin=f"{_origin(endpoint, url)} answered {status} {_phrase(status)}".rstrip(),
        endpoint=endpoint,
        secrets=tuple(secrets),
    )
    return reply.error(problem)


def from_event(
    error_event: Mapping[str, Any],
    endpoint: str | None = None,
    *,
    url: str | None = None,
    request_id: str | None = None,
    secrets: Iterable[str] = (),
) -> KimiError:
    """Map an error event of a stream (`data: {"error": ...}`) to an error.

    The HTTP status of such a reply is 200; the error's status is the event's own code where it has
    one, else None.

    Args:
        error_event: The decoded event.
        endpoint: Name of the endpoint, for the message.
        url: Address that answered, for the message.
        request_id: The server's id of the request, from the reply's headers.
        secrets: Values that must not appear in the error, such as the API key.
    """
    body = _as_text(error_event)
    problem = read_problem(error_event, body)
    reply = _Reply(
        status=problem.status or status_of_kind(problem),
        body=body,
        request_id=request_id or problem.request_id,
        retry_after=None,
        origin=f"{_origin(endpoint, url)} sent an error with status 200",
        endpoint=endpoint,
        secrets=tuple(secrets),
    )
    return reply.error(problem)


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of a request from its reply headers, by their lower-case names."""
    for name in REQUEST_ID_HEADERS:
        found = headers.get(name)
        if found:
            return found
    return None


@dataclass(frozen=True, kw_only=True)
class _Reply:
    """What is known of a reply besides the problem that its body tells."""

    status: int | None
    body: str
    request_id: str | None
    retry_after: float | None
    origin: str
    endpoint: str | None
    secrets: tuple[str, ...]

    def error(self, problem: Problem) -> KimiError:
        cls = classify(self.status, problem)
        request_id = self._clean(self.request_id) or None
        details: dict[str, Any] = {
            "status": self.status,
            "request_id": request_id,
            "retry_after": self.retry_after,
            "endpoint": self.endpoint,
            "body": redact_beginning(self.body, self.secrets, BODY_LIMIT),
        }
        if issubclass(cls, KimiUnsupportedParameterError):
            names = map(self._clean, unsupported_parameters(problem))
            details["parameters"] = tuple(filter(None, names))
        lines = [self._what(problem), ADVICE.get(cls, "")]
        if self.retry_after is not None:
            lines.append(f"The server asks to wait {self.retry_after:g} s.")
        if request_id:
            lines.append(f"Request id: {request_id}.")
        return cls("\n".join(filter(None, lines)), **details)

    def _what(self, problem: Problem) -> str:
        text = redact_beginning(problem.text, self.secrets, BODY_LIMIT, keep="\n\t").strip()
        kind = f" [{self._clean(problem.kind)}]" if problem.kind else ""
        return f"{self.origin}{kind}{': ' + text if text else '.'}"

    def _clean(self, name: str | None) -> str:
        return clean_name(name or "", self.secrets)


def _origin(endpoint: str | None, url: str | None) -> str:
    return f"{endpoint or 'The server'}{f' ({url})' if url else ''}"


def _as_text(event: Mapping[str, Any]) -> str:
    try:
        return json.dumps(event, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return "(an event that cannot be shown)"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
