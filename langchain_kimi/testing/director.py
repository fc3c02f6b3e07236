"""Chooses the turn for each request: a function, else the script, else the stand-in."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Part, Turn, group
from langchain_kimi.testing.standin import stand_in_turn

Responder = Callable[[dict[str, Any]], Part | Turn | Iterable[Part] | None]
EPOCH = 1_770_000_000
SCRIPTED = "scripted (no model)"
STAND_IN = "stand-in (no model)"


class Director:
    """Holds the script; safe to use from any thread."""

    def __init__(self, seed: int | None) -> None:
        self._lock = threading.Lock()
        self._turns: deque[Turn] = deque()
        self._responder: Responder | None = None
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - ids of a test server
        self._numbers = itertools.count()

    def add(self, parts: Iterable[Part | Turn]) -> None:
        """Append the turns that these parts make."""
        turns = group(parts)
        with self._lock:
            self._turns.extend(turns)

    def respond_with(self, responder: Responder | None) -> None:
        """Ask this function first for every request."""
        with self._lock:
            self._responder = responder

    def clear(self) -> None:
        """Forget the turns that are left, and the function."""
        with self._lock:
            self._turns.clear()
            self._responder = None

    @property
    def remaining(self) -> int:
        """How many turns of the script are left."""
        with self._lock:
            return len(self._turns)

    def turn_for(self, request: ChatRequest, *, parallel: bool) -> tuple[Turn, str]:
        """Choose the turn for a request, and say whose it is (the fingerprint).

        Args:
            request: The request.
            parallel: Whether the stand-in may make several calls in one turn.
        """
        with self._lock:
            responder = self._responder
        if responder and (answer := _as_turn(responder(dict(request.body)))):
            return answer, SCRIPTED
        with self._lock:
            if self._turns:
                return self._turns.popleft(), SCRIPTED
        return stand_in_turn(request, parallel=parallel), STAND_IN

    def new_id(self) -> str:
        """Make up an id of 32 hexadecimal digits; a seed makes them repeatable."""
        with self._lock:
            return f"{self._random.getrandbits(128):032x}"

    def now(self) -> int:
        """Tell the time in seconds; with a seed, a clock that ticks once a request."""
        if self._seed is None:
            return int(time.time())
        with self._lock:
            return EPOCH + next(self._numbers)


def _as_turn(answer: Part | Turn | Iterable[Part] | None) -> Turn | None:
    """Make one turn of what a responder returned.

    Raises:
        ValueError: When the parts make more than one turn.
    """
    if answer is None or isinstance(answer, Turn):
        return answer
    turns = group([answer] if isinstance(answer, Part) else answer)
    if len(turns) > 1:
        msg = (
            f"The function given to respond_with() returned parts of {len(turns)} turns, one "
            "request takes one; put them into turn(…) if they belong together."
        )
        raise ValueError(msg)
    return turns[0] if turns else None
