"""Encoded pictures by content, in bounded memory: a conversation does not encode twice."""

from __future__ import annotations

import base64
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Cache", "Encoded"]


@dataclass(frozen=True)
class Encoded:
    """A picture as it is sent."""

    data: bytes
    mime_type: str
    width: int
    height: int

    @cached_property
    def base64(self) -> str:
        """The text that goes into the request; equal pictures share it."""
        return base64.b64encode(self.data).decode("ascii")


class Cache:
    """Keeps what was used last.

    Args:
        max_bytes: Bytes of encoded pictures; their base64 text adds a third more than as much.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._held: OrderedDict[Hashable, Encoded] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Encoded | None:
        """Return what is kept under a key."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: Hashable, encoded: Encoded) -> None:
        """Keep a picture; the ones not used longest go."""
        with self._lock:
            if key in self._held or len(encoded.data) > self.max_bytes:
                return
            self._held[key] = encoded
            self._bytes += len(encoded.data)
            while self._bytes > self.max_bytes:
                _, oldest = self._held.popitem(last=False)
                self._bytes -= len(oldest.data)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._held)
