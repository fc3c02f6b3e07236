"""The exception with which a server refuses a request."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """A request is refused with an HTTP error.

    Args:
        status: The HTTP status.
        message: The text of the error; None takes the dialect's own for the status.
        kind: The ``type`` of the error; None takes the dialect's own for the status.
        param: The parameter at fault, where the dialect reports one.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        kind: str | None = None,
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.param = param
