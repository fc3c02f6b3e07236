"""What was used last, in bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Recent"]

V = TypeVar("V")


class Recent(Generic[V]):
    """Keeps values by key, the ones used last; safe in threads.

    Args:
        limit: The most that all values may weigh together.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.weight = 0
        self._held: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        """Return what is kept under a key."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V, *, weight: int = 1) -> None:
        """Keep a value; the ones not used longest go, and one that is too heavy is not kept."""
        with self._lock:
            self._drop(key)
            if weight > self.limit:
                return
            self._held[key] = (value, weight)
            self.weight += weight
            while self.weight > self.limit:
                self._drop(next(iter(self._held)))

    def forget(self, is_meant: Callable[[V], bool]) -> None:
        """Forget the values that are meant."""
        with self._lock:
            for key in [key for key, (value, _) in self._held.items() if is_meant(value)]:
                self._drop(key)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()
            self.weight = 0

    def __len__(self) -> int:
        return len(self._held)

    def _drop(self, key: Hashable) -> None:
        _, weight = self._held.pop(key, (None, 0))
        self.weight -= weight
