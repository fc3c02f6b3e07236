"""Conjunctions: what a schema, its `$ref` and its `allOf` say together, as one level of keywords.

A subschema that two sides restrict becomes `{"allOf": [one, other]}` and is merged in its turn,
when the translation reaches it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from langchain_kimi.wire.tool_schemas.keywords import DROPPED, Schema, is_of_type, same, type_list
from langchain_kimi.wire.tool_schemas.references import References

_OBJECT = ("properties", "additionalProperties", "patternProperties")
_ARRAY = ("items", "prefixItems")


@dataclass
class Level:
    """One level of a schema after merging."""

    words: Schema = field(default_factory=dict)
    """Keywords of this level; `type` as a list, no reference and no composition."""
    groups: list[tuple[str, list[Any]]] = field(default_factory=list)
    """The alternatives of each `anyOf` and `oneOf`: one of each group must hold."""
    refs: list[str] = field(default_factory=list)
    """References that stay references."""
    unmerged: list[Schema] = field(default_factory=list)
    """Keywords for which the level already has another value."""
    impossible: bool = False
    """Whether no value can satisfy the schema."""


def merge(schema: Schema | bool, references: References, *, unroll: bool = False) -> Level:
    """Merge a schema with what it refers to and all that its `allOf` holds.

    Args:
        schema: The schema; never changed.
        references: Of the document that it stands in.
        unroll: Whether references that would stay are followed, at this level only.
    """
    level = Level()
    for part in _conjuncts(schema, references, unroll=unroll, seen=set()):
        if part is False:
            level.impossible = True
        elif isinstance(part, str):
            if part not in level.refs:
                level.refs.append(part)
        elif isinstance(part, dict):
            _add(level, _normal(part))
    return level


def _conjuncts(
    schema: Any, references: References, *, unroll: bool, seen: set[str]
) -> Iterator[Schema | bool | str]:
    if not isinstance(schema, dict):
        yield schema
        return
    yield {key: value for key, value in schema.items() if key not in ("$ref", "allOf")}
    ref = schema.get("$ref")
    if isinstance(ref, str):
        pointer = references.pointer(ref)
        target = references.target(ref)
        if not unroll and references.is_kept(ref):
            yield pointer
        elif pointer not in seen:
            yield from _conjuncts(target, references, unroll=unroll, seen=seen | {pointer})
    for part in schema.get("allOf", ()):
        yield from _conjuncts(part, references, unroll=unroll, seen=seen)


def _normal(part: Schema) -> Schema:
    """Return the keywords in draft 2020-12's spelling, without those that say nothing."""
    words = {key: value for key, value in part.items() if key not in DROPPED}
    if "type" in words:
        words["type"] = type_list(words["type"])
    if "const" in words:
        const = words.pop("const")
        held = [value for value in words.get("enum", [const]) if same(value, const)]
        words["enum"] = held[:1]
    if isinstance(words.get("items"), list):
        words["prefixItems"] = words.pop("items")
        if "additionalItems" in words:
            words["items"] = words.pop("additionalItems")
    for bound, strict in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(words.get(strict), bool) and words.pop(strict) and bound in words:
            words[strict] = words.pop(bound)
    return words


def _add(level: Level, part: Schema) -> None:
    for key in ("anyOf", "oneOf"):
        if key in part:
            level.groups.append((key, part.pop(key)))
    words = level.words
    _merge_objects(level, part)
    _merge_arrays(words, part)
    for key, value in part.items():
        if key in _OBJECT or key in _ARRAY:
            continue
        if key not in words:
            words[key] = value
        elif not same(words[key], value):
            _reconcile(level, key, value)


def _reconcile(level: Level, key: str, value: Any) -> None:
    """Put a keyword beside another value of itself."""
    mine = level.words[key]
    if key in _JOINED:
        level.words[key] = _JOINED[key](mine, value)
        if key in ("type", "enum") and not level.words[key]:
            level.impossible = True
    elif key == "multipleOf" and is_of_type(mine, "integer") and is_of_type(value, "integer"):
        level.words[key] = math.lcm(int(mine), int(value))
    elif key not in _FIRST_COUNTS:
        level.unmerged.append({key: value})


def _common_types(mine: list[str], other: list[str]) -> list[str]:
    both = [name for name in mine if name in other]
    for one, two in ((mine, other), (other, mine)):
        if "integer" in one and "number" in two and "integer" not in both and "number" not in both:
            both.append("integer")
    return both


def _common_values(mine: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in mine if any(same(value, held) for held in other)]


def _both_texts(mine: str, other: str) -> str:
    return f"{mine}\n{other}" if other and other not in mine else mine


_JOINED: dict[str, Callable[[Any, Any], Any]] = {
    **dict.fromkeys(("minLength", "minItems", "minimum", "exclusiveMinimum", "minProperties"), max),
    **dict.fromkeys(("maxLength", "maxItems", "maximum", "exclusiveMaximum", "maxProperties"), min),
    "type": _common_types,
    "enum": _common_values,
    "required": lambda mine, other: list(dict.fromkeys([*mine, *other])),
    "uniqueItems": lambda mine, other: mine or other,
    "description": _both_texts,
}
_FIRST_COUNTS = frozenset({"title", "default", "examples", "discriminator"})


def _both(one: Any, other: Any) -> Any:
    """Return the schema that says what both say."""
    if one is False or other is False:
        return False
    if one in (True, {}) or other in (True, {}):
        return other if one in (True, {}) else one
    return one if same(one, other) else {"allOf": [one, other]}


def _merge_objects(level: Level, part: Schema) -> None:
    words = level.words
    if not any(key in part for key in _OBJECT):
        return
    if not any(key in words for key in _OBJECT):
        words |= {key: part[key] for key in _OBJECT if key in part}
        return
    mine, other = words.get("properties", {}), part.get("properties", {})
    merged = {
        name: _both(_of_property(words, name), _of_property(part, name))
        for name in dict.fromkeys([*mine, *other])
    }
    patterns = [side["patternProperties"] for side in (words, part) if "patternProperties" in side]
    rest = [
        side["additionalProperties"] for side in (words, part) if "additionalProperties" in side
    ]
    if merged:
        words["properties"] = merged
    words.pop("additionalProperties", None)
    if not patterns and rest:
        words["additionalProperties"] = rest[0] if len(rest) == 1 else _both(rest[0], rest[1])
    elif patterns:
        words["patternProperties"] = patterns[0]
        level.unmerged += [{"patternProperties": more} for more in patterns[1:]]
        level.unmerged += [
            {"additionalProperties": more} for more in rest if more not in (True, {})
        ]


def _of_property(side: Schema, name: str) -> Any:
    """Return what one side says of a property."""
    if name in side.get("properties", {}):
        return side["properties"][name]
    matching = [
        sub for pattern, sub in side.get("patternProperties", {}).items() if _matches(pattern, name)
    ]
    if matching:
        return matching[0] if len(matching) == 1 else {"allOf": matching}
    return side.get("additionalProperties", True)


def _matches(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False


def _merge_arrays(words: Schema, part: Schema) -> None:
    if not any(key in part for key in _ARRAY):
        return
    mine, other = words.get("prefixItems", []), part.get("prefixItems", [])
    rest_mine, rest_other = words.get("items", True), part.get("items", True)
    prefix = [
        _both(
            mine[at] if at < len(mine) else rest_mine, other[at] if at < len(other) else rest_other
        )
        for at in range(max(len(mine), len(other)))
    ]
    rest = _both(rest_mine, rest_other)
    if prefix:
        words["prefixItems"] = prefix
    if rest not in (True, {}):
        words["items"] = rest
