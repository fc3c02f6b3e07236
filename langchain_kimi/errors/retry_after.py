"""What a Retry-After header asks for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_LONGEST = 100
"""Characters of the longest header that can be meant."""


def parse_retry_after(value: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, as a number or as an HTTP date.

    None where the header is missing or means nothing.
    """
    if value is None or len(value) > _LONGEST:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = _until(parsedate_to_datetime(value))
        except (ValueError, OverflowError):  # no date, or one that no calendar holds
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _until(moment: datetime) -> float:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
