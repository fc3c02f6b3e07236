"""Ids and names of tool calls in the form Kimi was trained on.

The function's name reaches the model only through the id (`## Return of functions.NAME:IDX`), the
counter runs over the whole conversation, and foreign ids make the model end its turn with nothing
(1 of 10 turns acted before renaming, 12 of 12 after: getkimchi/kimchi #1066). Moonshot's servers
rename ids themselves; open deployments pass on what they get. So a request always carries
`functions.NAME:IDX`, and the caller's messages stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["IdRegister", "ToolNames", "canonical_id"]

_UNSAFE = re.compile(r"[^A-Za-z0-9_]")


def canonical_id(name: str, index: int) -> str:
    """Return the id of the conversation's `index`-th call (from 0)."""
    return f"functions.{name}:{index}"


class ToolNames:
    """Maps tool names to names that every parser reads, and back.

    vLLM's parser cuts a name at its last `.`, SGLang's does not read `-`, Moonshot refuses a
    leading digit. Names that start with `$` are Moonshot's built-in functions and stay.

    Args:
        names: All names of the request: declared tools first, then those in history. The order
            decides which of two clashing aliases gets a number, so it must be stable.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._aliases: dict[str, str] = {}
        self._names: dict[str, str] = {}
        unique = list(dict.fromkeys(names))
        for name in sorted(unique, key=lambda name: _alias(name) != name):
            alias, count = _alias(name), 1
            while alias in self._names:
                count += 1
                alias = f"{_alias(name)}_{count}"
            self._aliases[name] = alias
            self._names[alias] = name

    def alias(self, name: str) -> str:
        """Return the name that goes over the wire."""
        return self._aliases.get(name) or _alias(name)

    def original(self, alias: str) -> str:
        """Return the caller's name for what the server answered."""
        return self._names.get(alias, alias)

    @property
    def aliases(self) -> list[str]:
        """All names as they go over the wire."""
        return list(self._names)


def _alias(name: str) -> str:
    if name.startswith("$"):
        return name
    safe = _UNSAFE.sub("_", name)
    return f"_{safe}" if not safe or safe[0].isdigit() else safe


class IdRegister:
    """Gives every received call an id that is unique in its conversation.

    Servers restart their counter, repeat an id, or send none (vLLM #29596, SGLang #33343), and
    LangGraph pairs results by id.

    Args:
        taken: The ids that the conversation already uses.
    """

    def __init__(self, taken: Iterable[str]) -> None:
        taken = list(taken)
        self._taken = set(taken)
        self._next = len(taken)

    def claim(self, received: str | None, name: str) -> str:
        """Return `received` when it is free, else the next free canonical id."""
        fresh = received or ""
        while not fresh or fresh in self._taken:
            fresh = canonical_id(name, self._next)
            self._next += 1
        self._taken.add(fresh)
        return fresh
