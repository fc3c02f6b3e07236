"""Faults of tool calls: functions over the deltas that carry them.

A delta travels with the number of its call, so that a fault can tell the calls apart
whatever fields are missing. The same function treats the deltas of a stream and, each call
being one whole delta, the ``tool_calls`` list of an unstreamed message.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, zip_longest
from operator import itemgetter
from typing import Any

from langchain_kimi.testing.script import Part

Fields = dict[str, Any]
Delta = tuple[int, Fields]
Change = Callable[[list[Delta]], list[Delta]]


@dataclass(frozen=True)
class Reshape(Part):
    """A change to the deltas of a turn's tool calls."""

    change: Change


@dataclass(frozen=True)
class Respell(Part):
    """A change to the arguments text of a turn's tool calls."""

    change: Callable[[str], str]


@dataclass(frozen=True)
class DroppedCalls(Part):
    """The calls vanish, as vLLM's parser loses those whose id has no number."""


def dropped_calls() -> DroppedCalls:
    """Lose this turn's calls: content null, finish_reason ``stop``."""
    return DroppedCalls()


def broken_arguments() -> Respell:
    """Cut the arguments' JSON in the middle."""
    return Respell(lambda text: text[: max(1, len(text) // 2)])


def raw_control_characters() -> Respell:
    """Write newlines and tabs in the arguments as raw characters, which JSON forbids."""
    return Respell(lambda text: text.replace("\\n", "\n").replace("\\t", "\t"))


def duplicate_ids() -> Reshape:
    """Give all calls of the turn the id of the first."""

    def change(deltas: list[Delta]) -> list[Delta]:
        first = next((fields["id"] for _, fields in deltas if fields.get("id")), None)
        return [
            (call, {**fields, "id": first} if fields.get("id") else fields)
            for call, fields in deltas
        ]

    return Reshape(change)


def missing_ids() -> Reshape:
    """Send no ids."""
    return _each(lambda fields: _without(fields, "id"))


def missing_indexes() -> Reshape:
    """Send no indexes."""
    return _each(lambda fields: _without(fields, "index"))


def missing_names() -> Reshape:
    """Send no function names."""
    return _each(lambda fields: {**fields, "function": _without(fields["function"], "name")})


def late_names() -> Reshape:
    """Send each call's name after its arguments."""

    def change(deltas: list[Delta]) -> list[Delta]:
        return [delta for of_one in _by_call(deltas) for delta in _name_last(of_one)]

    return Reshape(change)


def interleaved() -> Reshape:
    """Send the deltas of parallel calls in turns: 0, 1, 0, 1, …."""

    def change(deltas: list[Delta]) -> list[Delta]:
        rounds = zip_longest(*_by_call(deltas))
        return [delta for round_ in rounds for delta in round_ if delta is not None]

    return Reshape(change)


def dict_arguments() -> Reshape:
    """Send the arguments as a JSON object instead of as a string."""

    def change(deltas: list[Delta]) -> list[Delta]:
        return [_with_object(of_one) for of_one in _by_call(deltas)]

    return Reshape(change)


def _each(change: Callable[[Fields], Fields]) -> Reshape:
    return Reshape(lambda deltas: [(call, change(fields)) for call, fields in deltas])


def _by_call(deltas: list[Delta]) -> list[list[Delta]]:
    ordered = sorted(deltas, key=itemgetter(0))
    return [list(of_one) for _, of_one in groupby(ordered, key=itemgetter(0))]


def _name_last(of_one: list[Delta]) -> list[Delta]:
    """Move the name of a call behind its arguments; a call in one delta stays as it is."""
    (call, first), *rest = of_one
    if not rest:
        return of_one
    nameless = {**first, "function": _without(first["function"], "name")}
    name = {"function": {"name": first["function"].get("name")}}
    if "index" in first:
        name["index"] = first["index"]
    return [(call, nameless), *rest, (call, name)]


def _with_object(of_one: list[Delta]) -> Delta:
    call, first = of_one[0]
    text = "".join(fields["function"].get("arguments") or "" for _, fields in of_one)
    function = {**first["function"], "arguments": json.loads(text or "{}")}
    return call, {**first, "function": function}


def _without(fields: Fields, key: str) -> Fields:
    return {name: value for name, value in fields.items() if name != key}
