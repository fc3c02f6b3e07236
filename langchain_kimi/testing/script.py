"""The script language: parts, and the turns that they make.

A *part* is a piece of a reply (``think``, ``say``, ``call``) or a fault (see `faults`).
A *turn* is one whole reply. Parts are grouped into turns by the order in which a model
produces them, so that most scripts need no explicit `turn`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar


class Place(IntEnum):
    """Where a part may stand inside a turn."""

    FRONT = 0
    """Before everything else: begins a turn when the running one has content."""
    THINK = 1
    SAY = 2
    CALL = 3
    ANYWHERE = 4
    """Belongs to the running turn, at the position where it was written."""
    LAST = 5
    """Belongs to the running turn and closes it."""
    ALONE = 6
    """Is a whole reply of its own."""


@dataclass(frozen=True)
class Part:
    """Base of all parts of a script."""

    place: ClassVar[Place] = Place.ANYWHERE


@dataclass(frozen=True)
class Think(Part):
    """Reasoning text."""

    text: str
    place: ClassVar[Place] = Place.THINK


@dataclass(frozen=True)
class Say(Part):
    """Answer text."""

    text: str
    place: ClassVar[Place] = Place.SAY


@dataclass(frozen=True)
class Call(Part):
    """A tool call.

    Attributes:
        name: The tool's name, as the model writes it.
        arguments: A mapping (sent as JSON), or a string that is sent as it is.
        id: The call's id; None gives the canonical ``functions.NAME:IDX``.
    """

    name: str
    arguments: Mapping[str, Any] | str
    id: str | None = None
    place: ClassVar[Place] = Place.CALL

    @property
    def arguments_text(self) -> str:
        """Return the arguments as the text that goes over the wire."""
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True)
class Turn:
    """One reply: its parts in order."""

    parts: tuple[Part, ...]

    def __iter__(self) -> Iterator[Part]:
        return iter(self.parts)


def think(text: str) -> Think:
    """Reason in these words before answering."""
    return Think(text)


def say(text: str) -> Say:
    """Answer with this text."""
    return Say(text)


def say_json(value: Any) -> Say:
    """Answer with this value as compact JSON, the way structured output arrives."""
    return Say(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def call(name: str, arguments: Mapping[str, Any] | str | None = None, /, **named: Any) -> Call:
    """Call a tool.

    Args:
        name: The tool's name. It need not be declared: models invent names too.
        arguments: A mapping, for arguments whose names are no Python names, or a string
            that is sent exactly as it is (also when it is no JSON).
        **named: The arguments by name.
    """
    if isinstance(arguments, str):
        if named:
            msg = "call() takes either an arguments string or named arguments, not both."
            raise TypeError(msg)
        return Call(name, arguments)
    return Call(name, {**(arguments or {}), **named})


def call_with_id(call_id: str, name: str, /, **named: Any) -> Call:
    """Call a tool under an id of your own instead of ``functions.NAME:IDX``."""
    return Call(name, named, id=call_id)


def turn(*parts: Part) -> Turn:
    """Group these parts to one reply, whatever their order."""
    return Turn(parts)


def group(parts: Iterable[Part | Turn]) -> list[Turn]:
    """Group parts into turns.

    The order inside a turn is front faults, think, say, calls. A part that comes too early
    in that order for the running turn begins a new one; consecutive calls are parallel
    calls of one turn; other faults stay with the running turn.

    Raises:
        TypeError: For something that is neither a part nor a turn.
    """
    turns: list[Turn] = []
    running: list[Part] = []
    reached = Place.FRONT

    def close() -> None:
        nonlocal reached
        if running:
            turns.append(Turn(tuple(running)))
            running.clear()
        reached = Place.FRONT

    for part in parts:
        if isinstance(part, Turn):
            close()
            turns.append(part)
            continue
        if not isinstance(part, Part):
            msg = (
                f"A script takes parts such as think(…), say(…), call(…), got "
                f"{type(part).__name__}: {part!r}."
            )
            raise TypeError(msg)
        if part.place is Place.ALONE or _comes_too_early(part.place, reached):
            close()
        running.append(part)
        if part.place in (Place.ALONE, Place.LAST):
            close()
        elif part.place <= Place.CALL:
            reached = part.place
    close()
    return turns


def _comes_too_early(place: Place, reached: Place) -> bool:
    if place > Place.CALL:
        return False
    if place in (Place.FRONT, Place.CALL):
        return place < reached
    return place <= reached
