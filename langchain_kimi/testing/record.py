"""What the server has seen: one exchange for each request."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})
HIDDEN = "(hidden)"


@dataclass
class Exchange:
    """One request and what became of it.

    Attributes:
        method: The HTTP method.
        path: The path with its query.
        headers: The request headers, names in lower case, secrets hidden.
        body: The JSON body, or the raw bytes when it is no JSON; None without a body.
        peer: The client's address and port: one for each connection.
        status: The status of the reply; None until it is complete, and when it was cut.
        outcome: ``running``, ``finished``, ``cut`` (by a fault) or ``client_left``.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    peer: tuple[str, int]
    status: int | None = None
    outcome: str = "running"


class Recorder:
    """Keeps the exchanges; safe to read from any thread while the server runs."""

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._lock = threading.Lock()
        self._exchanges: list[Exchange] = []
        self._in_flight = 0
        self._peak = 0

    def begin(self, http: web.Request, body: Any) -> Exchange:
        """Record a request that has arrived."""
        peer = http.transport.get_extra_info("peername") if http.transport else None
        exchange = Exchange(
            method=http.method,
            path=http.path_qs,
            headers=_public(http.headers),
            body=body,
            peer=tuple(peer[:2]) if peer else ("", 0),
        )
        with self._lock:
            if self._keep:
                self._exchanges.append(exchange)
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)
        return exchange

    def end(self, exchange: Exchange, outcome: str) -> None:
        """Record that a request is over; a fault's own outcome stays."""
        with self._lock:
            self._in_flight -= 1
            if exchange.outcome == "running":
                exchange.outcome = outcome

    def clear(self) -> None:
        """Forget the exchanges so far."""
        with self._lock:
            self._exchanges.clear()
            self._peak = self._in_flight

    @property
    def exchanges(self) -> list[Exchange]:
        """All exchanges in the order of arrival."""
        with self._lock:
            return list(self._exchanges)

    @property
    def in_flight(self) -> int:
        """How many requests are being answered now."""
        with self._lock:
            return self._in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were being answered at once."""
        with self._lock:
            return self._peak


def _public(headers: Mapping[str, str]) -> dict[str, str]:
    """Copy headers without the values of secrets."""
    return {
        name.lower(): HIDDEN if name.lower() in SECRET_HEADERS else value
        for name, value in headers.items()
    }
