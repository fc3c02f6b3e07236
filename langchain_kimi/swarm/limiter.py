"""One gate for all model calls of a tree: requests a minute, and calls in flight.

The calls in flight adapt to the server (additive increase, multiplicative decrease): a 429 halves
the capacity and closes the gate for as long as the server asks; every round of successes opens it
by one. Calls are let through in the order in which they came, so no sub-agent starves.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

_MINUTE = 60.0


class Limiter:
    """A first-come-first-served gate.

    Args:
        capacity: The most calls in flight.
        requests_per_minute: The most calls begun in any 60 seconds; None for no limit.
        pause: Seconds to keep the gate closed after a 429 that does not say how long; it
            doubles with each further one, up to a minute.
        clock: A monotonic time, for tests.
    """

    def __init__(
        self,
        capacity: int,
        *,
        requests_per_minute: int | None = None,
        pause: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most = capacity
        self.capacity = float(capacity)
        self.requests_per_minute = requests_per_minute
        self.in_flight = 0
        self.throttles = 0
        self._pause = pause
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._urgent: deque[asyncio.Future[None]] = deque()
        self._begun: deque[float] = deque()
        self._closed_until = 0.0
        self._last_cut = float("-inf")
        self._in_a_row = 0
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, *, urgent: bool = False) -> float:
        """Wait for a place; return when it was given. `urgent` goes before the others."""
        if not self._waiting and not self._urgent and self._delay() == 0.0:
            return self._take()
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line = self._urgent if urgent else self._waiting
        line.append(future)
        self._serve()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.leave()
            else:
                line.remove(future)
            raise
        return self._clock()

    def leave(self) -> None:
        """Give the place back."""
        self.in_flight -= 1
        self._serve()

    def succeeded(self) -> None:
        """Count a success: capacity grows by one for each full round of them."""
        self._in_a_row = 0
        if self.capacity < self.most:
            self.capacity = min(float(self.most), self.capacity + 1.0 / self.capacity)

    def throttled(self, entered: float, retry_after: float | None) -> None:
        """Count a 429 for a call that entered then: shrink once for each burst, and wait."""
        self.throttles += 1
        now = self._clock()
        if entered > self._last_cut:
            self.capacity = max(1.0, self.capacity / 2)
            self._last_cut = now
            self._in_a_row += 1
        wait = retry_after
        if wait is None:
            wait = min(_MINUTE, self._pause * 2 ** (self._in_a_row - 1))
        self._closed_until = max(self._closed_until, now + wait)

    def stop(self) -> None:
        """Forget the timer; those who wait are cancelled by their own tasks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> float:
        now = self._clock()
        self.in_flight += 1
        if self.requests_per_minute is not None:
            self._begun.append(now)
        return now

    def _delay(self) -> float:
        """Return the seconds until the next call may begin; infinite: when one leaves."""
        if self.in_flight >= max(1, int(self.capacity)):
            return float("inf")
        now = self._clock()
        wait = max(0.0, self._closed_until - now)
        if self.requests_per_minute is not None:
            while self._begun and self._begun[0] <= now - _MINUTE:
                self._begun.popleft()
            if len(self._begun) >= self.requests_per_minute:
                wait = max(wait, self._begun[0] + _MINUTE - now)
        return wait

    def _serve(self) -> None:
        while line := self._urgent or self._waiting:
            delay = self._delay()
            if delay == float("inf"):
                return
            if delay > 0.0:
                self._later(delay)
                return
            future = line.popleft()
            if not future.done():
                self._take()
                future.set_result(None)

    def _later(self, delay: float) -> None:
        self.stop()
        self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._serve()
