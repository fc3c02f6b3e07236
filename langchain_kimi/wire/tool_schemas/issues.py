"""What Moonshot's validator would say of a schema, most of all its limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langchain_kimi.wire.tool_schemas.keywords import (
    KEPT,
    ORDER,
    TYPES,
    Schema,
    is_of_type,
    type_list,
)
from langchain_kimi.wire.tool_schemas.values import is_empty

__all__ = ["schema_issues"]

MAX_PROPERTIES = 100
MAX_LEVELS = 5
MAX_ENUM_VALUES = 500
MAX_BRANCHES = 10
RESERVED = ("$defs", "$ref", "anyOf", "required", "additionalProperties")
"""Names that a property may not have."""
_BESIDE_COMPOSITION = frozenset({"title", "description", "$defs", "$id"})


def schema_issues(schema: Schema) -> list[str]:
    """List what Kimi's strictest validator would refuse in a schema.

    The limits are Moonshot's documented ones (walle, docs/walle.md); newer releases and other
    servers take more. A schema is sent whatever they say: nothing is cut to fit.

    Args:
        schema: As `to_kimi_schema` returns it.
    """
    if not schema:
        return []
    found = list(_node(schema, schema, "", 0))
    properties = sum(len(node.get("properties", {})) for node in _nodes(schema))
    if properties > MAX_PROPERTIES:
        found.append(f"/: {properties} properties, at most {MAX_PROPERTIES} are taken")
    values = sum(len(node.get("enum", ())) for node in _nodes(schema))
    if values > MAX_ENUM_VALUES:
        found.append(f"/: {values} enum values, at most {MAX_ENUM_VALUES} are taken")
    return found


def _children(schema: Schema) -> Iterator[tuple[str, Any]]:
    for key in ("properties", "$defs"):
        for name, sub in schema.get(key, {}).items():
            yield f"{key}/{name}", sub
    for at, sub in enumerate(schema.get("anyOf", ())):
        yield f"anyOf/{at}", sub
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield key, schema[key]


def _nodes(schema: Schema) -> Iterator[Schema]:
    yield schema
    for _, sub in _children(schema):
        yield from _nodes(sub)


def _node(schema: Schema, root: Schema, path: str, level: int) -> Iterator[str]:
    here = path or "/"
    if level > MAX_LEVELS:
        yield f"{here}: objects nested deeper than {MAX_LEVELS} levels"
        return
    yield from (f"{here}: unknown keyword {key!r}" for key in schema if key not in ORDER)
    if schema is not root:
        yield from (f"{here}: {key!r} is taken at the root only" for key in ("$defs", "$id")
                    if key in schema)  # fmt: skip
    if "anyOf" in schema or "$ref" in schema:
        yield from _composition(schema, root, here)
    elif "type" not in schema:
        yield f"{here}: type is not defined"
    else:
        yield from _typed(schema, here)
    for place, sub in _children(schema):
        if place == "additionalProperties" and sub == {}:
            continue
        deeper = level + place.startswith("properties/")
        yield from _node(sub, root, f"{path}/{place}", deeper)


def _composition(schema: Schema, root: Schema, here: str) -> Iterator[str]:
    kind = "anyOf" if "anyOf" in schema else "$ref"
    yield from (
        f"{here}: {key!r} beside {kind}"
        for key in schema
        if key not in _BESIDE_COMPOSITION and key != kind
    )
    branches = schema.get("anyOf")
    if branches is not None and not 1 <= len(branches) <= MAX_BRANCHES:
        yield f"{here}: anyOf has {len(branches)} alternatives, 1 to {MAX_BRANCHES} are taken"
    ref = schema.get("$ref")
    if ref is not None and ref != "#":
        name = ref.removeprefix("#/$defs/")
        if not ref.startswith("#/$defs/") or name.split("/")[0] not in root.get("$defs", {}):
            yield f"{here}: {ref!r} refers to nothing under the root's $defs"


def _typed(schema: Schema, here: str) -> Iterator[str]:
    types = type_list(schema["type"])
    yield from (f"{here}: {name!r} is no type" for name in types if name not in TYPES)
    own = set(schema) - {"type", "title", "description", "default", "enum", "$defs", "$id"}
    taken = set(KEPT.get(types[0], ())) if len(types) == 1 else set()
    yield from (f"{here}: {key!r} does not go with type {schema['type']!r}"
                for key in sorted(own - taken))  # fmt: skip
    if "enum" in schema:
        yield from _enum(schema["enum"], types, here)
    elif len(types) > 1 and "default" in schema:
        yield f"{here}: 'default' does not go with several types"
    properties = schema.get("properties", {})
    yield from (f"{here}: required {name!r} is not among the properties"
                for name in schema.get("required", ()) if name not in properties)  # fmt: skip
    yield from (f"{here}: a property may not be named {name!r}"
                for name in properties if name in RESERVED)  # fmt: skip
    if is_empty(schema):
        yield f"{here}: a lower bound is above the upper one"


def _enum(values: list[Any], types: list[str], here: str) -> Iterator[str]:
    if not values:
        yield f"{here}: enum is empty"
    scalar = [name for name in types if name != "null"]
    if len(types) > 2 or len(scalar) > 1 or {"object", "array"} & {*types}:
        yield f"{here}: enum takes one scalar type, and null beside it"
    for value in values:
        if not any(is_of_type(value, name) for name in types):
            yield f"{here}: enum value {value!r} is not of type {types}"
