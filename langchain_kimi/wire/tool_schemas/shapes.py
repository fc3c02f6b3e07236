"""Objects and arrays: what their properties and items become."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, Literal, Protocol

from langchain_kimi.wire.tool_schemas.alternatives import one_of
from langchain_kimi.wire.tool_schemas.keywords import Schema
from langchain_kimi.wire.tool_schemas.values import whole


class Translates(Protocol):
    """What a shape needs of the translation."""

    def node(self, schema: Any, path: str) -> Schema | Literal[False]:
        """Translate a subschema; `{}` stands for any value, False for none."""

    def stated(self, schema: Schema | Literal[False], path: str) -> Schema:
        """Say `any` and `none` in the dialect."""

    def note(self, path: str, keyword: str, effect: Literal["wider", "narrower"]) -> None:
        """Record that what is sent accepts other values than the original."""


def object_body(translator: Translates, words: Schema, path: str) -> Schema | Literal[False]:
    """Translate what an object's keywords say; False where no object can satisfy them."""
    rest = _rest(translator, words, path)
    required = list(dict.fromkeys(words.get("required", ())))
    properties = _properties(translator, words, rest, path)
    missing = [name for name in required if name not in properties]
    if any(properties.get(name, rest) is False for name in required):
        return False
    body: Schema = {}
    if properties or missing or "properties" in words:
        body["properties"] = {
            name: translator.stated(sub, f"{path}/properties/{_escaped(name)}")
            for name, sub in [*properties.items(), *((name, deepcopy(rest)) for name in missing)]
        }
    if "required" in words:
        body["required"] = required
    stated = words.get("additionalProperties")
    if rest is False or rest:
        body["additionalProperties"] = rest
    elif stated in (True, {}):
        body["additionalProperties"] = stated
    return body


def _properties(
    translator: Translates, words: Schema, rest: Schema | Literal[False], path: str
) -> dict[str, Schema | Literal[False]]:
    """Translate the named properties, without those that can be left out as no other may be."""
    required = words.get("required", ())
    found = {
        name: translator.node(sub, f"{path}/properties/{_escaped(name)}")
        for name, sub in words.get("properties", {}).items()
    }
    return {
        name: sub
        for name, sub in found.items()
        if sub is not False or rest is not False or name in required
    }


def _rest(translator: Translates, words: Schema, path: str) -> Schema | Literal[False]:
    """Translate what properties that are not named may hold."""
    here = f"{path}/additionalProperties"
    rest = translator.node(words.get("additionalProperties", True), here)
    patterns = words.get("patternProperties")
    if not patterns:
        return rest
    translator.note(path, "patternProperties", "wider")
    matched = [
        translator.node(sub, f"{path}/patternProperties/{at}")
        for at, sub in enumerate(patterns.values())
    ]
    branches = [sub for sub in [*matched, rest] if sub is not False]
    if any(branch == {} for branch in branches):
        return {}
    return one_of([sub for at, sub in enumerate(branches) if sub not in branches[:at]])


def array_body(translator: Translates, words: Schema, path: str) -> Schema:
    """Translate what an array's keywords say."""
    body: Schema = {key: whole(words[key]) for key in ("minItems", "maxItems") if key in words}
    prefix = words.get("prefixItems")
    items = translator.node(words.get("items", True), f"{path}/items")
    if prefix:
        items = _tuple(translator, prefix, items, body, path)
    if items is False:
        body["maxItems"] = 0
    elif items:
        body["items"] = items
    return body


def _tuple(
    translator: Translates,
    prefix: Sequence[Any],
    rest: Schema | Literal[False],
    body: Schema,
    path: str,
) -> Schema | Literal[False]:
    """Translate positions to one schema for every item, which says that any of them holds."""
    parts = [translator.node(sub, f"{path}/prefixItems/{at}") for at, sub in enumerate(prefix)]
    if False in parts:
        rest, parts = False, parts[: parts.index(False)]
    if rest is False:
        body["maxItems"] = min(len(parts), body.get("maxItems", len(parts)))
    longest = body.get("maxItems")
    branches: list[Schema] = []
    for part in parts[:longest] if longest is not None else parts:
        if part is not False and part not in branches:
            branches.append(part)
    if rest is not False and (longest is None or longest > len(parts)) and rest not in branches:
        branches.append(rest)
    if len(branches) > 1:
        translator.note(path, "prefixItems", "wider")
    if any(branch == {} for branch in branches):
        return {}
    return one_of(branches)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
