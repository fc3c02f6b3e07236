"""What a model has uploaded: once for each content, also where many calls want it at once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from langchain_kimi.delivery.payload import digest, to_bytes
from langchain_kimi.delivery.recent import Recent
from langchain_kimi.errors import KimiError

__all__ = ["Upload", "Uploads"]

KEPT = 1_000
"""Ids that a model remembers; Moonshot keeps as many files for a user."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A medium that goes up before the request."""

    kind: Literal["image", "video"]
    mime_type: str
    text: str = field(repr=False)
    """Its bytes in base64."""
    name: str | None = None

    @cached_property
    def key(self) -> str:
        """The digest of its content."""
        return digest(self.text)

    @property
    def data(self) -> bytes:
        """Its bytes."""
        return to_bytes(self.text)

    def referred(self, id_: str) -> dict[str, Any]:
        """Return the block that names the uploaded file."""
        return {"type": self.kind, "file_id": id_, "mime_type": self.mime_type}

    def inline(self) -> dict[str, Any]:
        """Return the block that carries the bytes."""
        return {"type": self.kind, "base64": self.text, "mime_type": self.mime_type}


_Running = dict[str, "Future[str | None]"]


class Uploads:
    """The ids under which a model's media are known to its server.

    A call that wants a content which another one is uploading waits for it. A blocking call waits
    for other threads only: the event loop whose upload it wanted might be its own. Copies and
    pickles start empty.

    Attributes:
        refused: Whether the server has refused an asset in a way that asking again does not mend.
    """

    def __init__(self) -> None:
        self.refused = False
        self._known: Recent[tuple[str, float]] = Recent(KEPT)
        self._in_threads: _Running = {}
        self._in_loops: _Running = {}
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[Uploads], tuple[()]]:
        return type(self), ()

    def __len__(self) -> int:
        return len(self._known)

    def once(self, upload: Upload, send: Callable[[], str], *, lifetime: float) -> str:
        """Return the id of a content, uploading it where it is not known.

        Args:
            upload: The content.
            send: Uploads it and returns its id.
            lifetime: Seconds for which the server keeps it.
        """
        while True:
            id_, running, is_mine = self._claim(upload.key, self._in_threads, self._in_threads)
            if id_ is None and not is_mine:
                id_ = running.result()
            if id_ is not None:
                return id_
            if is_mine:
                break
        try:
            id_ = send()
        except BaseException as error:
            self._settle(upload.key, self._in_threads, error=error)
            raise
        self._settle(upload.key, self._in_threads, id_=id_, lifetime=lifetime)
        return id_

    async def aonce(
        self, upload: Upload, send: Callable[[], Awaitable[str]], *, lifetime: float
    ) -> str:
        """Return the id of a content, uploading it where it is not known; see `once`."""
        while True:
            id_, running, is_mine = self._claim(
                upload.key, self._in_loops, self._in_loops, self._in_threads
            )
            if id_ is None and not is_mine:
                id_ = await asyncio.shield(asyncio.wrap_future(running))
            if id_ is not None:
                return id_
            if is_mine:
                break
        try:
            id_ = await send()
        except BaseException as error:
            self._settle(upload.key, self._in_loops, error=error)
            raise
        self._settle(upload.key, self._in_loops, id_=id_, lifetime=lifetime)
        return id_

    def forget(self, ids: Collection[str]) -> None:
        """Forget ids that the server does not know any more; what has gone up since stays."""
        self._known.forget(lambda known: known[0] in ids)

    def _claim(
        self, key: str, own: _Running, *watched: _Running
    ) -> tuple[str | None, Future[str | None], bool]:
        """Return the id, or the upload that is running, or begin one of one's own."""
        with self._lock:
            for table in watched:
                if key in table:
                    return None, table[key], False
            known = self._known.get(key)
            if known is not None and known[1] > time.monotonic():
                return known[0], Future(), False
            own[key] = Future()
            return None, own[key], True

    def _settle(
        self,
        key: str,
        own: _Running,
        *,
        id_: str | None = None,
        lifetime: float = 0.0,
        error: BaseException | None = None,
    ) -> None:
        """Tell those who wait: the id, the server's error, or None to try for themselves."""
        with self._lock:
            running = own.pop(key)
            if id_ is not None:
                self._known.put(key, (id_, time.monotonic() + lifetime))
        if isinstance(error, KimiError):
            running.set_exception(error)
        else:
            running.set_result(id_)
