"""Alternatives in the dialect: put together, and told apart."""

from __future__ import annotations

import itertools
from typing import Literal

from langchain_kimi.wire.tool_schemas.keywords import Schema, same, type_list

_MAX_DEPTH = 3


def one_of(branches: list[Schema]) -> Schema | Literal[False]:
    """Return the schema of which any branch may hold; False without a branch."""
    flat: list[Schema] = []
    for branch in branches:
        flat += branch["anyOf"] if set(branch) == {"anyOf"} else [branch]
    if not flat:
        return False
    return flat[0] if len(flat) == 1 else {"anyOf": flat}


def are_disjoint(branches: list[Schema]) -> bool:
    """Tell whether no value fits two of the branches, as far as it can be seen."""
    return all(_disjoint(one, other, 0) for one, other in itertools.combinations(branches, 2))


def _disjoint(one: Schema, other: Schema, depth: int) -> bool:
    if depth > _MAX_DEPTH or "$ref" in one or "$ref" in other:
        return False
    for first, second in ((one, other), (other, one)):
        if "anyOf" in first:
            return all(_disjoint(branch, second, depth + 1) for branch in first["anyOf"])
    if not _types(one) & _types(other):
        return True
    if "enum" in one and "enum" in other:
        return not any(same(value, held) for value in one["enum"] for held in other["enum"])
    return _types(one) & _types(other) == {"object"} and _objects_disjoint(one, other, depth)


def _types(schema: Schema) -> set[str]:
    types = set(type_list(schema.get("type", [])))
    return types | {"integer"} if "number" in types else types


def _objects_disjoint(one: Schema, other: Schema, depth: int) -> bool:
    for first, second in ((one, other), (other, one)):
        declared = second.get("properties", {})
        if second.get("additionalProperties") is False and any(
            name not in declared for name in first.get("required", ())
        ):
            return True
    mine, others = one.get("properties", {}), other.get("properties", {})
    return any(
        name in mine and name in others and _disjoint(mine[name], others[name], depth + 1)
        for name in {*one.get("required", ())} & {*other.get("required", ())}
    )
