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
pure and total: whatever a server says becomes one of these. No error holds an API key: bearer
tokens, strings that look like keys and the keys that the caller names are replaced before the text
reaches the error.
"""

from langchain_kimi.errors.hierarchy import (
    TRANSIENT_STATUSES,
    KimiAuthenticationError,
    KimiBadRequestError,
    KimiConnectionError,
    KimiContentFilterError,
    KimiContextOverflowError,
    KimiEmptyReplyError,
    KimiError,
    KimiInvalidInputError,
    KimiModelRetiredError,
    KimiNotFoundError,
    KimiPermissionDeniedError,
    KimiQuotaExceededError,
    KimiRateLimitError,
    KimiRequestTooLargeError,
    KimiServerError,
    KimiStructuredOutputError,
    KimiTimeoutError,
    KimiToolChoiceError,
    KimiTruncatedOutputError,
    KimiTruncatedStreamError,
    KimiUnsupportedParameterError,
)
from langchain_kimi.errors.mapping import (
    BODY_LIMIT,
    REQUEST_ID_HEADERS,
    from_event,
    from_response,
    request_id_of,
)
from langchain_kimi.errors.redaction import clean_name, redact
from langchain_kimi.errors.retry_after import parse_retry_after

__all__ = [
    "BODY_LIMIT",
    "REQUEST_ID_HEADERS",
    "TRANSIENT_STATUSES",
    "KimiAuthenticationError",
    "KimiBadRequestError",
    "KimiConnectionError",
    "KimiContentFilterError",
    "KimiContextOverflowError",
    "KimiEmptyReplyError",
    "KimiError",
    "KimiInvalidInputError",
    "KimiModelRetiredError",
    "KimiNotFoundError",
    "KimiPermissionDeniedError",
    "KimiQuotaExceededError",
    "KimiRateLimitError",
    "KimiRequestTooLargeError",
    "KimiServerError",
    "KimiStructuredOutputError",
    "KimiTimeoutError",
    "KimiToolChoiceError",
    "KimiTruncatedOutputError",
    "KimiTruncatedStreamError",
    "KimiUnsupportedParameterError",
    "clean_name",
    "from_event",
    "from_response",
    "parse_retry_after",
    "redact",
    "request_id_of",
]

for _name in __all__:
    if _name.startswith("Kimi"):
        globals()[_name].__module__ = __name__  # what tracebacks and pickles call them by
del _name
