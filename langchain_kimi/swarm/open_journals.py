"""The journals that runs have open in this process: one for each place."""

from __future__ import annotations

import threading
from collections.abc import Hashable

from langchain_kimi.swarm.journal import Journal

_LOCK = threading.Lock()
_OPEN: dict[Hashable, list[Journal]] = {}
"""By its place, a journal as often as it is borrowed."""


def borrow(journal: Journal) -> Journal:
    """Return the one that is open at the place of a journal; this one, where none is."""
    with _LOCK:
        borrowed = _OPEN.setdefault(journal.place, [journal])
        if borrowed[0] is not journal:
            journal = borrowed[0]
            borrowed.append(journal)
    return journal


async def give_back(journal: Journal) -> None:
    """End what `borrow` began; the last one closes the journal."""
    with _LOCK:
        borrowed = _OPEN.get(journal.place, [])
        if journal not in borrowed:
            return
        borrowed.pop()
        if borrowed:
            return
        del _OPEN[journal.place]
    await journal.aclose()
