"""From the bytes of a streamed reply to its events, without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_kimi.errors import KimiError
from langchain_kimi.transport.reply import decode_object
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.sse import SseReader


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

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """Return the events that these bytes complete."""
        if not self._begun:
            data = data.lstrip()
            self._begun = bool(data)
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
        return self._decode(self._sse.finish(), at_end=True)

    def _decode(self, payloads: list[str], *, at_end: bool = False) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
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
        failed = event.get("error") or event.get("object") == "error"
        if failed and not event.get("choices"):
            self.failure = self._server.error_event(event, self._headers)
            return []
        return [event]
