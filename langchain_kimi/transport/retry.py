"""Which failures are tried again, when, and for how long."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    Retrying,
    retry_if_exception,
)

from langchain_kimi.errors import KimiError

T = TypeVar("T")
AliveAt = Callable[[], float | None]

observers: list[Callable[[KimiError, float], None]] = []
"""Called before each wait with the failure and the seconds; for figures, as no callback sees it."""


def _unknown() -> None:
    """Say that no server has told that it works on the request."""


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how long a failed request is repeated.

    Repeated are failures that pass by themselves: statuses 408, 409, 429, 500, 502, 503, 504 and
    529, connections that fail or break, and timeouts. A used-up quota is not among them. Nothing
    is repeated once output has been handed out.

    A timeout is repeated as well: closing the connection tells the server to stop (vLLM and SGLang
    abort the generation), and hosted endpoints hang now and then. It may cost tokens twice, so
    `total` bounds it: with the default response timeout of an hour no second request is sent.

    Attributes:
        max_retries: Repetitions after the first try.
        backoff: Seconds; the n-th wait is drawn from 0.5 to 1 times `backoff * 2**n`.
        max_wait: The longest wait. A Retry-After beyond it raises at once.
        total: Seconds after which nothing is repeated: since the first try, or since the server
            last said that it works on the request.
    """

    max_retries: int = 2
    backoff: float = 1.0
    max_wait: float = 60.0
    total: float = 600.0

    def run(self, attempt: Callable[[], T], alive_at: AliveAt = _unknown) -> T:
        """Call until it succeeds or the policy is used up; the last error is raised as it is.

        Args:
            attempt: What is called.
            alive_at: When the server last said that it works on the request, where it did.
        """
        started = time.monotonic()
        try:
            return attempt()
        except KimiError as error:
            if not self._may_pass(error):
                raise
            failures = [error]
        result: T = Retrying(**self._rules(started, alive_at))(_again, attempt, failures)
        return result

    async def arun(self, attempt: Callable[[], Awaitable[T]], alive_at: AliveAt = _unknown) -> T:
        """Await until it succeeds or the policy is used up; see `run`."""
        started = time.monotonic()
        try:
            return await attempt()
        except KimiError as error:
            if not self._may_pass(error):
                raise
            failures = [error]
        return await AsyncRetrying(**self._rules(started, alive_at))(_aagain, attempt, failures)

    def _rules(self, started: float, alive_at: AliveAt) -> dict[str, Any]:
        """Return tenacity's settings; the first try, made without its cost, counts as the first."""

        def used_up(state: RetryCallState) -> bool:
            end = (alive_at() or started) + self.total
            late = time.monotonic() + state.upcoming_sleep > end
            return late or state.attempt_number > self.max_retries

        return {
            "stop": used_up,
            "wait": self._wait,
            "before_sleep": _tell,
            "retry": retry_if_exception(self._may_pass),
            "reraise": True,
        }

    def _may_pass(self, error: BaseException) -> bool:
        return (
            isinstance(error, KimiError)
            and error.is_retryable
            and (error.retry_after or 0.0) <= self.max_wait
        )

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
        backoff = min(self.backoff * 2.0 ** (state.attempt_number - 1), self.max_wait) * spread
        asked = error.retry_after if isinstance(error, KimiError) else None
        return backoff if asked is None else asked + 0.1 * backoff


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, KimiError):
        for observer in observers:
            observer(error, state.upcoming_sleep)


def _again(attempt: Callable[[], T], failures: list[KimiError]) -> T:
    """Tell tenacity of the first failure, then try again."""
    if failures:
        raise failures.pop()
    return attempt()


async def _aagain(attempt: Callable[[], Awaitable[T]], failures: list[KimiError]) -> T:
    if failures:
        raise failures.pop()
    return await attempt()
