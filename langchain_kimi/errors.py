"""What can go wrong between ChatKimi and a server, as types.

    KimiError                                 [ModelError]
    ├── KimiAuthenticationError               [ModelAuthenticationError]   401
    ├── KimiPermissionDeniedError             [ModelPermissionDeniedError] 403
    ├── KimiQuotaExceededError                [ModelPermissionDeniedError] 402, 429 quota
    ├── KimiNotFoundError                     [ModelNotFoundError]         404
    │   └── KimiModelRetiredError                                          404, 410
    ├── KimiBadRequestError                   [ModelInvalidRequestError]   400, 422
    │   ├── KimiUnsupportedParameterError                                  .parameters
    │   ├── KimiContextOverflowError          [ContextOverflowError]
    │   └── KimiRequestTooLargeError                                       413
    ├── KimiContentFilterError                [ModelInvalidRequestError]
    ├── KimiRateLimitError                    [ModelRateLimitError]        429
    ├── KimiServerError                       [ModelAPIError]              5xx, error events
    ├── KimiConnectionError                   [ModelConnectionError]
    │   └── KimiTruncatedStreamError
    ├── KimiTimeoutError                      [ModelTimeoutError]          408
    ├── KimiEmptyReplyError                   [ModelError]
    ├── KimiToolChoiceError                   [ModelAPIError]
    ├── KimiStructuredOutputError             [OutputParserException]
    │   └── KimiTruncatedOutputError
    └── KimiInvalidInputError                 [ValueError]

The classes in brackets are those of `langchain_core.exceptions` (and `ValueError`), so that retry,
fallback and summarisation middleware treat the errors as they treat any other provider's.

`from_response` maps an HTTP reply, `from_event` an error that arrives inside a stream. Both are
pure. No error holds an API key: bearer tokens, strings that look like keys and the keys that the
caller names are replaced before the text reaches the error.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
    OutputParserException,
)

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

TRANSIENT_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same request may succeed (kimi-code retries the same set)."""

BODY_LIMIT = 2000
"""Characters of a reply's body that an error keeps."""

REQUEST_ID_HEADERS = ("x-request-id", "nvcf-reqid", "request-id", "x-trace-id")


class KimiError(ModelError):
    """Base of every error that ChatKimi raises.

    Attributes:
        status: HTTP status, or None where no reply arrived.
        request_id: The server's id of the request, for a support ticket.
        retry_after: Seconds the server asks to wait, or None where it did not say.
        endpoint: Name of the endpoint: "nvidia", "vllm", "sglang" or "moonshot".
        body: The reply's text without secrets, at most 2000 characters.
        partial: What had arrived of the reply before it broke off.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        endpoint: str | None = None,
        body: str | None = None,
        partial: AIMessage | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after
        self.endpoint = endpoint
        self.body = body
        self.partial = partial
        if status is not None and status not in TRANSIENT_STATUSES:
            self.is_retryable = False


class KimiAuthenticationError(KimiError, ModelAuthenticationError):
    """The server does not accept the API key, or none was sent."""


class KimiPermissionDeniedError(KimiError, ModelPermissionDeniedError):
    """The API key is valid but may not do this."""


class KimiQuotaExceededError(KimiError, ModelPermissionDeniedError):
    """The account's credit or quota is used up; waiting does not help."""


class KimiNotFoundError(KimiError, ModelNotFoundError):
    """The server knows no such model or path."""


class KimiModelRetiredError(KimiNotFoundError):
    """The hosted model is gone, or the account is not entitled to it."""


class KimiBadRequestError(KimiError, ModelInvalidRequestError):
    """The server refuses the request as it is."""


class KimiUnsupportedParameterError(KimiBadRequestError):
    """The server refuses request parameters; `parameters` names them."""

    def __init__(self, message: str, *, parameters: Iterable[str] = (), **details: Any) -> None:
        super().__init__(message, **details)
        self.parameters = tuple(parameters)


class KimiContextOverflowError(KimiBadRequestError, ContextOverflowError):
    """Prompt and token budget together exceed the model's context window."""


class KimiRequestTooLargeError(KimiBadRequestError):
    """The request body has more bytes than the server takes."""


class KimiContentFilterError(KimiError, ModelInvalidRequestError):
    """The server's content filter refuses the request or its reply."""


class KimiRateLimitError(KimiError, ModelRateLimitError):
    """Too many requests or tokens in a short time."""


class KimiServerError(KimiError, ModelAPIError):
    """The server failed, or answered something that is no reply."""


class KimiConnectionError(KimiError, ModelConnectionError):
    """The server cannot be reached, or the connection broke."""


class KimiTruncatedStreamError(KimiConnectionError):
    """The reply ended before it was complete."""


class KimiTimeoutError(KimiError, ModelTimeoutError):
    """The server took longer than the timeout of a phase."""


class KimiEmptyReplyError(KimiError):
    """The reply has neither text nor tool calls: thinking used up the token budget."""


class KimiToolChoiceError(KimiError, ModelAPIError):
    """The model had to call a tool and did not; trying again may help."""


class KimiStructuredOutputError(KimiError, OutputParserException):
    """The answer does not fit the schema; `partial` is the message as it came."""

    def __init__(self, message: str, **about: Any) -> None:
        super().__init__(message, **about)
        self.args = (message,)  # langchain-core appends a link, once more with every pickling


class KimiTruncatedOutputError(KimiStructuredOutputError):
    """The answer was cut by the token budget before it was complete."""


class KimiInvalidInputError(KimiError, ValueError):
    """The caller's input cannot be sent."""


# --- from what a server says to an error ---------------------------------------------------------


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
    problem = _read_problem(_parse_json(body_text), body_text)
    if not problem.text and "www-authenticate" in lowered:
        problem = _Problem(lowered["www-authenticate"])
    if 300 <= status < 400 and "location" in lowered:
        problem = _Problem(f"it points to {lowered['location']}")
    reason = f"answered {status} {_phrase(status)}".rstrip()
    return _build_error(
        problem,
        status=status,
        reason=reason,
        endpoint=endpoint,
        url=url,
        body=body_text,
        request_id=request_id_of(lowered) or problem.request_id,
        retry_after=parse_retry_after(lowered.get("retry-after")),
        secrets=tuple(secrets),
    )


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
    """
    body = json.dumps(error_event, ensure_ascii=False, default=str)
    problem = _read_problem(error_event, body)
    return _build_error(
        problem,
        status=problem.status or _status_of_kind(problem.kind),
        reason="sent an error inside the stream",
        endpoint=endpoint,
        url=url,
        body=body,
        request_id=request_id or problem.request_id,
        retry_after=None,
        secrets=tuple(secrets),
    )


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Replace API keys in a text: the given ones, bearer tokens, and what looks like a key."""
    for secret in secrets:
        if secret:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "**********", text)
            if len(secret) >= _LONG_SECRET:
                text = text.replace(secret, "**********")
    text = re.sub(_BEARER, r"\1 **********", text)
    return re.sub(_KEY_LIKE, "**********", text)


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def request_id_of(headers: Mapping[str, str]) -> str | None:
    """Return the server's id of a request from its lower-cased reply headers."""
    return next((headers[name] for name in REQUEST_ID_HEADERS if headers.get(name)), None)


# Long enough that replacing it inside a longer word cannot hit ordinary text.
_LONG_SECRET = 12
# Patterns stay strings: `re` compiles them when the first error asks, not at import.
_BEARER = r"(?i)\b(bearer|basic)\s+(?!realm\b|error\b)[\w\-.~+/=*]{6,}"
_KEY_LIKE = r"\b(?:nvapi-|sk-|ak-)[\w\-]{6,}"
_CONTEXT_OVERFLOW = (
    r"(?is)context[ _]length|maximum context|exceed\w*\b.{0,40}\bmax(?:imum)?[ _]tokens"
    r"|exceeded model token limit|prompt is too long.*maximum|maximum model length"
)
_QUOTA = (
    r"(?i)exceeded_current_quota|insufficient_quota|current (?:token )?quota"
    r"|insufficient (?:balance|credit|fund)|out of credit|credits? (?:are )?exhausted"
    r"|plan and billing|account .*suspended"
)
_CONTENT_FILTER = r"(?i)content_filter|considered high risk"
_RETIRED = r"(?is)Function\b.*Not found for account"
_UNSUPPORTED = (
    r"(?i)(?:unsupported|unrecogni[sz]ed|unknown|unexpected)\s+(?:request\s+)?"
    r"(?:parameter|argument|field)s?(?:\(s\))?(?:\s+supplied)?\s*:?\s*(?P<names>[`'\"\w][^.;\n]*)"
)
_LOCKED = r"(?i)invalid (?P<name>\w+): only .+ (?:is|are) allowed"
_SINGLE_CALLS = r"(?i)only supports single tool-calls"
_WORD = r"[A-Za-z_][\w.]*"

_BY_STATUS: Mapping[int, type[KimiError]] = {
    401: KimiAuthenticationError,
    402: KimiQuotaExceededError,
    403: KimiPermissionDeniedError,
    404: KimiNotFoundError,
    408: KimiTimeoutError,
    409: KimiServerError,
    410: KimiModelRetiredError,
    413: KimiRequestTooLargeError,
    429: KimiRateLimitError,
}

_ADVICE: Mapping[type[KimiError], str] = {
    KimiAuthenticationError: (
        "Check or renew the API key: api_key=, NVIDIA_API_KEY, or MOONSHOT_API_KEY for Moonshot"
        " (keys of api.moonshot.ai and api.moonshot.cn are not interchangeable)."
    ),
    KimiPermissionDeniedError: "The key is known but may not use this model or endpoint.",
    KimiQuotaExceededError: (
        "The account's quota or credit is used up: waiting does not help; top it up, or use"
        " another key or endpoint."
    ),
    KimiModelRetiredError: (
        "The hosted model is gone, or this account is not entitled to it; the listing at /models"
        " may still show it. Ways out: another model id (model=), your own vLLM or NIM server"
        ' (base_url=), or Moonshot (endpoint="moonshot").'
    ),
    KimiNotFoundError: (
        "Check model= against the names that GET /models lists, and base_url=, which ends in /v1"
        " on most servers."
    ),
    KimiUnsupportedParameterError: "Leave the named parameters out for this endpoint.",
    KimiContextOverflowError: (
        "Lower max_completion_tokens, or shorten the conversation by trimming or summarising it."
    ),
    KimiRequestTooLargeError: "Send fewer or smaller images and files.",
    KimiContentFilterError: "The content filter refused it; change the input.",
    KimiRateLimitError: "Wait, and keep fewer calls in flight; rate_limiter= paces them.",
    KimiServerError: "The server failed; try again later, or look into its log if it is yours.",
    KimiTimeoutError: "The server gave up waiting; try again, or ask for less at once.",
    KimiBadRequestError: "",
}


@dataclass(frozen=True)
class _Problem:
    """What a body says, whatever its shape."""

    text: str = ""
    kind: str = ""
    param: str | None = None
    status: int | None = None
    request_id: str | None = None


def _build_error(
    problem: _Problem,
    *,
    status: int | None,
    reason: str,
    endpoint: str | None,
    url: str | None,
    body: str,
    request_id: str | None,
    retry_after: float | None,
    secrets: tuple[str, ...],
) -> KimiError:
    cls = _classify(status, problem)
    server = f"{endpoint or 'The server'}{f' ({url})' if url else ''}"
    text = redact(problem.text, secrets)[:BODY_LIMIT].strip()
    kind = f" [{redact(problem.kind, secrets)}]" if problem.kind else ""
    sentences = [f"{server} {reason}{kind}{': ' + text if text else '.'}", _ADVICE.get(cls, "")]
    if retry_after is not None:
        sentences.append(f"The server asks to wait {retry_after:g} s.")
    if request_id:
        request_id = redact(request_id, secrets)[:200]
        sentences.append(f"Request id: {request_id}.")
    details: dict[str, Any] = {
        "status": status,
        "request_id": request_id,
        "retry_after": retry_after,
        "endpoint": endpoint,
        "body": redact(body[: 16 * BODY_LIMIT], secrets)[:BODY_LIMIT],
    }
    if issubclass(cls, KimiUnsupportedParameterError):
        details["parameters"] = _unsupported_parameters(problem)
    return cls("\n".join(filter(None, sentences)), **details)


def _classify(status: int | None, problem: _Problem) -> type[KimiError]:
    said = f"{problem.kind} {problem.text}"
    if status in {400, 413, 422}:
        if re.search(_CONTEXT_OVERFLOW, said):
            return KimiContextOverflowError
        if _unsupported_parameters(problem):
            return KimiUnsupportedParameterError
    if status in {400, 403, 422, None} and re.search(_CONTENT_FILTER, said):
        return KimiContentFilterError
    if status in {403, 429, None} and re.search(_QUOTA, said):
        return KimiQuotaExceededError
    if status == 404 and re.search(_RETIRED, said):
        return KimiModelRetiredError
    if status is None or status >= 500 or status < 300:
        return KimiServerError
    if status < 400:
        return KimiNotFoundError
    return _BY_STATUS.get(status, KimiBadRequestError)


def _unsupported_parameters(problem: _Problem) -> tuple[str, ...]:
    if match := re.search(_UNSUPPORTED, problem.text):
        return tuple(dict.fromkeys(re.findall(_WORD, match["names"])))
    if match := re.search(_LOCKED, problem.text):
        return (match["name"],)
    if re.search(_SINGLE_CALLS, problem.text):
        return ("parallel_tool_calls",)
    if problem.param and re.search(r"unsupported|extra_forbidden", problem.kind):
        return (problem.param,)
    return ()


def _read_problem(payload: Any, body_text: str) -> _Problem:
    """Read an error body of any known shape; a body of no known shape is its own text."""
    if not isinstance(payload, Mapping):
        return _Problem(body_text.strip())
    request_id = payload.get("requestId") or payload.get("request_id")
    inner = payload.get("error")
    if isinstance(inner, Mapping):
        payload = inner
    elif isinstance(inner, str) and "message" not in payload and "detail" not in payload:
        payload = {**payload, "message": inner}
    detail = payload.get("detail")
    if isinstance(detail, list):
        return _read_validation(detail)
    if isinstance(detail, Mapping):
        return _read_problem({"error": detail}, body_text)
    text = payload.get("message") or detail or payload.get("title") or payload.get("msg")
    kinds = (payload.get("type"), payload.get("code"))
    code = payload.get("code", payload.get("status"))
    return _Problem(
        text=str(text) if text else body_text.strip(),
        kind=" ".join(kind for kind in kinds if isinstance(kind, str)),
        param=payload.get("param") if isinstance(payload.get("param"), str) else None,
        status=int(code) if str(code).isdecimal() and 400 <= int(code) < 600 else None,
        request_id=str(request_id) if request_id else None,
    )


def _read_validation(detail: list[Any]) -> _Problem:
    """Read FastAPI's list of validation errors."""
    entries = [entry for entry in detail if isinstance(entry, Mapping)]
    lines = [
        f"{'.'.join(map(str, entry.get('loc', ())))}: {entry.get('msg', '')}" for entry in entries
    ]
    extra = [
        str(entry["loc"][-1])
        for entry in entries
        if entry.get("type") == "extra_forbidden" and entry.get("loc")
    ]
    if extra:
        return _Problem(f"Unsupported parameter(s): {', '.join(extra)}", "extra_forbidden")
    return _Problem("; ".join(lines) or str(detail))


def _status_of_kind(kind: str) -> int | None:
    """Guess the status that an error event would have had, from its type."""
    for pattern, status in (
        (r"rate_?limit|overloaded|quota", 429),
        (r"bad_?request|invalid_request", 400),
        (r"not_?found", 404),
        (r"authenti|api_key", 401),
        (r"permission", 403),
    ):
        if re.search(pattern, kind, re.IGNORECASE):
            return status
    return None


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
