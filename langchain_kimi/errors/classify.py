"""Which error a status and the words of a server mean."""

from __future__ import annotations

import re
from collections.abc import Mapping

from langchain_kimi.errors.hierarchy import (
    KimiAuthenticationError,
    KimiBadRequestError,
    KimiContentFilterError,
    KimiContextOverflowError,
    KimiError,
    KimiModelRetiredError,
    KimiNotFoundError,
    KimiPermissionDeniedError,
    KimiQuotaExceededError,
    KimiRateLimitError,
    KimiRequestTooLargeError,
    KimiServerError,
    KimiTimeoutError,
    KimiUnsupportedParameterError,
)
from langchain_kimi.errors.problem import Problem

MATCH_LIMIT = 4096
"""Characters of a server's text that are matched: what it says it says at the start."""

# Patterns stay strings: `re` compiles them when the first error asks, not at import. They are
# matched against bounded text with single spaces, and what may stand between two words is bounded
# too: a server cannot make them slow.
_CONTEXT_OVERFLOW = (
    r"(?is)context[ _]length|maximum context|\bexceed\w{0,10}\b.{0,40}\bmax(?:imum)?[ _]tokens"
    r"|exceeded model token limit|prompt is too long.{0,200}maximum|maximum model length"
)
_QUOTA = (
    r"(?i)exceeded_current_quota|insufficient_quota|current (?:token )?quota"
    r"|insufficient (?:balance|credit|fund)|out of credit|credits? (?:are )?exhausted"
    r"|plan and billing|account .{0,200}suspended"
)
_CONTENT_FILTER = r"(?i)content_filter|considered high risk"
_RETIRED = r"(?is)Function\b.{0,200}Not found for account"
_UNSUPPORTED = (
    r"(?i)(?:unsupported|unrecogni[sz]ed|unknown|unexpected)\s(?:request\s)?"
    r"(?:parameter|argument|field)s?(?:\(s\))?(?:\ssupplied)?\s?:?\s?(?P<names>[`'\"\w][^.;\n]*)"
)
_LOCKED = r"(?i)invalid (?P<name>\w{1,100}): only .{1,200} (?:is|are) allowed"
_SINGLE_CALLS = r"(?i)only supports single tool-calls"
_WORD = r"[A-Za-z_][\w.]*"
_MOST_NAMES = 20

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

ADVICE: Mapping[type[KimiError], str] = {
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
"""What to do, by the class of the error."""


def classify(status: int | None, problem: Problem) -> type[KimiError]:
    """Return the class of the error that a status and a problem mean."""
    said = _words(f"{problem.kind[:MATCH_LIMIT]} {problem.text}")
    if status in {400, 413, 422}:
        if re.search(_CONTEXT_OVERFLOW, said):
            return KimiContextOverflowError
        if unsupported_parameters(problem):
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


def unsupported_parameters(problem: Problem) -> tuple[str, ...]:
    """Return the parameters that a server refuses, as it names them."""
    said = _words(problem.text)
    if match := re.search(_UNSUPPORTED, said):
        return tuple(dict.fromkeys(re.findall(_WORD, match["names"])))[:_MOST_NAMES]
    if match := re.search(_LOCKED, said):
        return (match["name"],)
    if re.search(_SINGLE_CALLS, said):
        return ("parallel_tool_calls",)
    if problem.param and re.search(r"unsupported|extra_forbidden", problem.kind[:MATCH_LIMIT]):
        return (problem.param,)
    return ()


def status_of_kind(problem: Problem) -> int | None:
    """Guess the status that an error event would have had, from its type."""
    for pattern, status in (
        (r"rate_?limit|overloaded|quota", 429),
        (r"bad_?request|invalid_request", 400),
        (r"not_?found", 404),
        (r"authenti|api_key", 401),
        (r"permission", 403),
    ):
        if re.search(pattern, problem.kind[:MATCH_LIMIT], re.IGNORECASE):
            return status
    return None


def _words(text: str) -> str:
    """Return the whole words at the beginning of a text, a space between them, no empty lines."""
    if len(text) > MATCH_LIMIT:
        text = text[:MATCH_LIMIT].rpartition(" ")[0]
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(filter(None, lines))
