"""From the bytes of a streamed reply to its events, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.reply import decode_object
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.sse import SseReader

_HEAD = 2000
_BEGINNINGS = (b":", b"data", b"event", b"id", b"retry", b"\xef\xbb\xbf")
"""How a stream of events begins: a comment, a field, or a byte order mark."""


class EventDecoder:
    """Decode server-sent JSON events, or one whole JSON object that came in their place.

    An error is kept in `failure` rather than raised, so that the events before it are not lost.

    Attributes:
        done: True once `[DONE]`, or the whole JSON object, was read.
        failure: The error that ended the events.
    """

    def __init__(self, server: Server, status: int, headers: Mapping[str, str]) -> None:
        self.done = False
        self.failure: KimiError | None = None
        self._server = server
        self._status = status
        self._headers = headers
        self._sse = SseReader()
        self._whole: list[bytes] | None = None
        self._begun = False
        self._head = b""
        self._decoded = False

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the events that these bytes complete."""
        if not self._begun:
            data = data.lstrip()
            self._begun = bool(data)
            self._head = data[:_HEAD]
            if data.startswith(b"{"):
                self._whole = []
        if self._whole is not None:
            self._whole.append(data)
            return []
        return self._decode(self._sse.feed(data))

    def finish(self) -> list[dict[str, Any]]:
        """Return what remains at the end of the body."""
        if self._whole is not None:
            body = b"".join(self._whole)
            self._whole = []
            event = decode_object(body)
            if event is None:
                self.failure = self._server.malformed(self._status, self._headers, body)
                return []
            self.done = True
            return self._check(event)
        events = self._decode(self._sse.finish(), at_end=True)
        if not self._decoded and not _may_be_events(self._head):
            self.failure = self._server.malformed(self._status, self._headers, self._head)
        return events

    def _decode(self, payloads: list[str], *, at_end: bool = False) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        self._decoded = self._decoded or bool(payloads)
        for payload in payloads:
            if self.done or self.failure:
                break
            event = decode_object(payload)
            if event is not None:
                events += self._check(event)
            elif payload.strip() == "[DONE]":
                self.done = True
            elif at_end:
                self.failure = self._server.cut_off(self._headers, "it ends inside an event")
            else:
                self.failure = self._server.malformed(self._status, self._headers, payload)
        return events

    def _check(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        if not event.get("error") and event.get("object") != "error":
            return [event]
        self.failure = self._server.error_event(event, self._headers)
        if not event.get("choices"):
            return []
        # gateways say with the last piece that the rest will not come
        return [{key: value for key, value in event.items() if key != "error"}]


def _may_be_events(head: bytes) -> bool:
    """Whether bytes, or the few that came before a cut, begin as a stream of events does."""
    return any(head.startswith(begin[: len(head)]) for begin in _BEGINNINGS)
