"""Writing a body to the client: events framed as SSE, cut where a fault says so."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from langchain_kimi.testing.faults import Cut, Framed
from langchain_kimi.testing.script import Part


class ConnectionCutError(Exception):
    """A fault has dropped the connection."""


class BodyWriter:
    """Writes to a prepared response until a fault drops the connection."""

    def __init__(self, http: web.Request, response: web.StreamResponse, cut: Cut | None) -> None:
        self._http = http
        self._response = response
        self._bytes_left = cut.after_bytes if cut else None
        self._events_left = cut.after_chunks if cut else None

    async def write(self, data: bytes) -> None:
        """Write bytes, at most those that are left before the cut."""
        if self._bytes_left is not None and len(data) >= self._bytes_left:
            await self._response.write(data[: self._bytes_left])
            self.cut()
        if self._bytes_left is not None:
            self._bytes_left -= len(data)
        await self._response.write(data)

    async def event(self, data: bytes) -> None:
        """Write the bytes of one event."""
        if self._events_left == 0:
            self.cut()
        await self.write(data)
        if self._events_left is not None:
            self._events_left -= 1

    def cut(self) -> None:
        """Close the connection in the middle of the body.

        Raises:
            ConnectionCutError: Always.
        """
        drop_connection(self._http)
        raise ConnectionCutError


def drop_connection(http: web.Request) -> None:
    """Close the connection of a request; what was written still goes out."""
    if http.transport is not None:
        http.transport.close()


def cut_of(parts: Iterable[Part]) -> Cut | None:
    """Find the cut that counts bytes or events."""
    for part in parts:
        if isinstance(part, Cut) and (part.after_bytes, part.after_chunks) != (None, None):
            return part
    return None


def sse_frame(data: str, framing: Framed) -> bytes:
    """Write one server-sent event."""
    lines = []
    if framing.comment is not None:
        lines.append(f": {framing.comment}")
    if framing.event is not None:
        lines.append(f"event: {framing.event}")
    lines += [f"data: {data}", "", ""]
    return framing.newline.join(lines).encode("utf-8", "surrogatepass")
