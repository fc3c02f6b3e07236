"""JSON Schema's keywords, sorted by what Kimi's dialect does with them.

Moonshot-flavoured JSON Schema (MoonshotAI/walle, docs/walle.md and docs/mfjs-spec.md) is draft
2020-12 without composition, conditions and most assertions; every subschema states its type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
ANY_TYPE = ["string", "number", "boolean", "object", "array", "null"]
"""How the dialect says "anything": `{}` has that meaning at the root and in
`additionalProperties` only."""

ANNOTATIONS = ("title", "description", "default")

KEPT: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "array": ("items", "minItems", "maxItems"),
    "object": ("properties", "required", "additionalProperties"),
    "boolean": (),
    "null": (),
}
"""Assertions that the dialect knows, by type."""

TRANSLATED: dict[str, tuple[str, ...]] = {
    "number": ("exclusiveMinimum", "exclusiveMaximum"),
    "integer": ("exclusiveMinimum", "exclusiveMaximum"),
    "array": ("prefixItems",),
    "object": ("patternProperties",),
}
"""Assertions that kept ones replace, wholly or in part."""

STRUCTURAL: dict[str, tuple[str, ...]] = {
    kind: KEPT[kind] + TRANSLATED.get(kind, ()) for kind in KEPT
}
STRUCTURAL_KEYWORDS = frozenset(word for words in STRUCTURAL.values() for word in words)

DROPPED = frozenset({
    "$anchor", "$comment", "$defs", "$dynamicAnchor", "$id", "$recursiveAnchor", "$schema",
    "$vocabulary", "definitions",
})  # fmt: skip
"""Identifiers, comments for maintainers, and definitions: they constrain nothing where they stand.
Definitions are inlined or kept at the root where something refers to them."""

MAPS_OF_SCHEMAS = ("properties", "patternProperties", "dependentSchemas")
LISTS_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
SCHEMAS = (
    "additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items",
    "not", "propertyNames", "then", "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip

ORDER = (
    "$id", "$ref", "type", "title", "description", "default", "enum", "anyOf", "properties",
    "required", "additionalProperties", "items", "minItems", "maxItems", "minLength", "maxLength",
    "pattern", "minimum", "maximum", "$defs",
)  # fmt: skip
"""The order of keys in what is sent: a prompt that does not change can be cached."""


def subschemas(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a schema applies, definitions left out, each with its place below the schema."""
    if not isinstance(schema, dict):
        return
    for key in MAPS_OF_SCHEMAS:
        if isinstance(schema.get(key), dict):
            yield from ((f"{key}/{name}", sub) for name, sub in schema[key].items())
    for key in (*LISTS_OF_SCHEMAS, "items"):
        if isinstance(schema.get(key), list):
            yield from ((f"{key}/{index}", sub) for index, sub in enumerate(schema[key]))
    for key in SCHEMAS:
        if isinstance(schema.get(key), dict):
            yield key, schema[key]


def ordered(schema: Schema) -> Schema:
    """Return a schema of the dialect with its keys in `ORDER`, at every level."""
    found: Schema = {}
    for key in ORDER:
        if key not in schema:
            continue
        value = schema[key]
        if key in ("properties", "$defs"):
            value = {name: ordered(sub) for name, sub in value.items()}
        elif key == "anyOf":
            value = [ordered(sub) for sub in value]
        elif key in ("items", "additionalProperties") and isinstance(value, dict):
            value = ordered(value)
        found[key] = value
    return found


def type_list(value: Any) -> list[str]:
    """Return the names in a `type`, which may be a string or a list."""
    return [value] if isinstance(value, str) else list(value)


def is_of_type(value: Any, name: str) -> bool:
    """Tell whether a JSON value is of a type; 1.0 is an integer, True is no number."""
    match name:
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "object":
            return isinstance(value, dict)
        case "array":
            return isinstance(value, list)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            return is_of_type(value, "number") and float(value).is_integer()


def same(one: Any, other: Any) -> bool:
    """Compare JSON values as JSON Schema does: 1 is 1.0, and True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)
