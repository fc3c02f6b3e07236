"""The error classes; the package's docstring shows them as a tree."""

from __future__ import annotations

from collections.abc import Iterable
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
