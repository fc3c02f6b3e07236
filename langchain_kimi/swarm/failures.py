"""What to do about an error: by its kind, never by its text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import Enum

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelAuthenticationError,
    ModelError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
)


class Remedy(Enum):
    """What helps against an error of a model call."""

    REQUEUE = "requeue"
    """The server is busy: back into the queue, with the context."""
    RETRY = "retry"
    SHRINK = "shrink"
    """The context is too long: hide what is old, then try again."""
    FAIL = "fail"
    HOPELESS = "hopeless"
    """The same call fails for every sub-agent: a wrong key, a model that is not there."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often a sub-agent tries again, and how long it waits before."""

    attempts: int = 4
    """Calls in all for one step, before the sub-agent is reported as failed."""
    wait: float = 0.5
    """Seconds before the second call; doubled before each further one."""
    longest_wait: float = 30.0
    requeues: int = 100
    """Times that one sub-agent goes back into the queue because the server is busy."""

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after this many failed calls."""
        return min(self.longest_wait, self.wait * 2.0 ** max(0, attempt - 1))


def remedy(error: BaseException) -> Remedy:
    """Say what to do about an error that a model call raised."""
    if isinstance(error, ModelRateLimitError) or _status(error) == 429:
        return Remedy.REQUEUE
    if isinstance(error, ContextOverflowError):
        return Remedy.SHRINK
    if isinstance(
        error, ModelAuthenticationError | ModelPermissionDeniedError | ModelNotFoundError
    ):
        return Remedy.HOPELESS
    if isinstance(error, ModelError):
        return Remedy.RETRY if error.is_retryable else Remedy.FAIL
    status = _status(error)
    if status is not None:
        return Remedy.RETRY if status in (408, 409) or status >= 500 else Remedy.FAIL
    if isinstance(error, asyncio.TimeoutError | TimeoutError | ConnectionError | OSError):
        return Remedy.RETRY
    return Remedy.FAIL


def retry_after(error: BaseException) -> float | None:
    """Return the seconds that the server asked to wait, None when it did not say."""
    value = getattr(error, "retry_after", None)
    return float(value) if isinstance(value, int | float) and value >= 0 else None


def describe(error: BaseException) -> str:
    """Return a reason for the report: the kind of error and its first line, bounded."""
    first = str(error).strip().split("\n", 1)[0][:300]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _status(error: BaseException) -> int | None:
    for name in ("status", "status_code"):
        value = getattr(error, name, None)
        if isinstance(value, int):
            return value
    return None
