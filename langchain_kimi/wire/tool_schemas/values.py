"""Bounds and enumerations of the scalar types."""

from __future__ import annotations

import math
from typing import Any

from langchain_kimi.wire.tool_schemas.keywords import Schema, is_of_type


def bounds(kind: str, words: Schema) -> Schema:
    """Return what limits a scalar, in the dialect's keywords.

    An integer above 0.5 is one from 1: exact. A number above 0 is one from 0, and the description
    says the rest.
    """
    if kind == "string":
        lengths = {key: whole(words[key]) for key in ("minLength", "maxLength") if key in words}
        return lengths | ({"pattern": words["pattern"]} if "pattern" in words else {})
    if kind not in ("number", "integer"):
        return {}
    found: Schema = {}
    for inclusive, choose in (("minimum", max), ("maximum", min)):
        limits = _limits(kind, words, inclusive)
        if limits:
            found[inclusive] = choose(limits)
    return found


def _limits(kind: str, words: Schema, inclusive: str) -> list[Any]:
    """Return the limits on one side, each as an inclusive one."""
    exclusive = f"exclusive{inclusive.capitalize()}"
    towards, step = (math.ceil, 1) if inclusive == "minimum" else (math.floor, -1)
    found = [words[key] for key in (inclusive, exclusive) if key in words]
    if kind == "integer":
        whole_ones = [towards(bound) for bound in found]
        if exclusive in words and whole_ones[-1] == words[exclusive]:
            whole_ones[-1] += step
        return whole_ones
    return found


def whole(value: Any) -> Any:
    """Return a count as an integer: 5.0 is a legal bound, but not in the dialect."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_empty(words: Schema) -> bool:
    """Tell whether a lower bound lies above the upper one."""
    return any(
        least in words and most in words and words[least] > words[most]
        for least, most in (
            ("minimum", "maximum"),
            ("minLength", "maxLength"),
            ("minItems", "maxItems"),
        )
    )


def by_type(values: list[Any], types: list[str] | None) -> dict[str, list[Any]]:
    """Sort enumerated values by the type that the dialect has to state for them."""
    numbers = [value for value in values if is_of_type(value, "number")]
    numeric = "integer" if all(is_of_type(value, "integer") for value in numbers) else "number"
    if types is not None and "number" in types:
        numeric = "number"
    found: dict[str, list[Any]] = {}
    for value in values:
        kind = next(
            kind
            for kind in ("string", numeric, "boolean", "null", "object", "array")
            if is_of_type(value, kind)
        )
        found.setdefault(kind, []).append(int(value) if kind == "integer" else value)
    return found
