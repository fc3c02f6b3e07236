"""How long each phase of a request may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from langchain_kimi.errors import KimiInvalidInputError

LONGEST = 366 * 24 * 3600
"""Seconds; more than a year is no number that the clocks of sockets take."""


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """Seconds that each phase of a request may take; `math.inf` waits for ever.

    One number for a whole request suits no thinking model: the first token may come after an hour
    in a queue, and a reply that is still coming is healthy however long it takes.
    """

    connect: float = 15.0
    """Until the connection stands: name lookup, TCP and TLS."""

    response: float = 3600.0
    """Until the first byte of the reply's body; also bounds the polling after a 202."""

    idle: float = 300.0
    """Between two pieces of a reply that has begun; comments in a stream count as life."""

    def __post_init__(self) -> None:
        for field in fields(self):
            seconds = getattr(self, field.name)
            plain = isinstance(seconds, int | float) and not isinstance(seconds, bool)
            if not plain or not (0 < seconds <= LONGEST or seconds == math.inf):
                msg = (
                    f"Timeout.{field.name} is {seconds!r}: give a positive number of seconds,"
                    f" {LONGEST:,} at most, or math.inf to wait for ever."
                )
                raise KimiInvalidInputError(msg)


def finite(seconds: float) -> float | None:
    """Return the seconds, or None for "for ever", as the socket libraries want it."""
    return None if math.isinf(seconds) else max(seconds, 0.001)
