"""Words for what the dialect has no keyword for: it goes into the description."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from langchain_kimi.wire.tool_schemas.keywords import (
    ANNOTATIONS,
    STRUCTURAL_KEYWORDS,
    Schema,
)


class Wording(NamedTuple):
    """A keyword that is not sent, and the sentence that stands for it."""

    keyword: str
    text: str
    asserts: bool
    """Whether the keyword refuses values, so that leaving it out accepts more."""


Render = Callable[[Any], str]
"""Writes a subschema as compact JSON in the dialect."""

_TYPES_OF: dict[str, frozenset[str]] = {
    **dict.fromkeys(("format", "contentEncoding", "contentMediaType", "contentSchema"),
                    frozenset({"string"})),
    **dict.fromkeys(("multipleOf", "exclusiveMinimum", "exclusiveMaximum"),
                    frozenset({"number", "integer"})),
    **dict.fromkeys(("uniqueItems", "contains", "unevaluatedItems", "prefixItems"),
                    frozenset({"array"})),
    **dict.fromkeys(("minProperties", "maxProperties", "propertyNames", "dependentRequired",
                     "dependentSchemas", "patternProperties", "unevaluatedProperties"),
                    frozenset({"object"})),
}  # fmt: skip
_SAID_WITH_OTHERS = frozenset({
    "enum", "type", "minContains", "maxContains", "then", "else", "additionalItems",
})  # fmt: skip
_FREE = frozenset({
    "format", "contentEncoding", "contentMediaType", "contentSchema", "examples", "deprecated",
    "readOnly", "writeOnly", "discriminator",
})  # fmt: skip
"""Keywords that tell, and refuse nothing."""
_ASSERTING = frozenset({"not", "if", "$dynamicRef", "$recursiveRef"})


def wordings(words: Schema, types: list[str] | None, render: Render) -> Iterator[Wording]:
    """Yield a sentence for each keyword that is lost.

    Args:
        words: The merged keywords of one level.
        types: The types that values of it have, None for any.
        render: Writes subschemas.
    """
    for keyword, value in words.items():
        if keyword in ANNOTATIONS or keyword in _SAID_WITH_OTHERS:
            continue
        if keyword in STRUCTURAL_KEYWORDS and keyword not in _TYPES_OF:
            continue
        applies = _TYPES_OF.get(keyword)
        if applies and types is not None and applies.isdisjoint(types):
            continue
        if keyword.startswith("exclusive") and types is not None and "number" not in types:
            continue
        text = _SENTENCES.get(keyword, _as_it_is)(Said(keyword, value, words, types, render))
        if text:
            asserts = keyword not in _FREE and (applies is not None or keyword in _ASSERTING)
            yield Wording(keyword, text, asserts)


class Said(NamedTuple):
    """A keyword where it stands."""

    keyword: str
    value: Any
    words: Schema
    types: list[str] | None
    render: Render


def _as_it_is(said: Said) -> str:
    return f"{said.keyword}: {_json(said.value)}."


def _multiple(said: Said) -> str:
    return "" if said.value == 1 and said.types == ["integer"] else f"A multiple of {said.value}."


def _names(said: Said) -> str:
    if said.value in (True, {}):
        return ""
    return f"Each property name matches {said.render(said.value)}."


def _dependent(said: Said) -> str:
    return " ".join(
        f"With {name!r} also {', '.join(map(repr, needed))}."
        for name, needed in said.value.items()
        if needed
    )


def _dependent_schemas(said: Said) -> str:
    return " ".join(f"With {name!r}: {said.render(sub)}." for name, sub in said.value.items())


def _patterns(said: Said) -> str:
    return " ".join(
        f"Properties whose name matches {name!r}: {said.render(sub)}."
        for name, sub in said.value.items()
    )


def _positions(said: Said) -> str:
    shown = [said.render(sub) for sub in said.value]
    return f"Items in order: {', '.join(shown)}." if len(set(shown)) > 1 else ""


def _contains(said: Said) -> str:
    least, most = said.words.get("minContains", 1), said.words.get("maxContains")
    if not least and most is None:
        return ""
    count = f"at least {least}" if most is None else f"{least} to {most}"
    return f"Contains {count} of {said.render(said.value)}."


def _condition(said: Said) -> str:
    parts = [f"{key} {said.render(said.words[key])}" for key in ("then", "else")
             if key in said.words]  # fmt: skip
    return f"If {said.render(said.value)}: {'; '.join(parts)}." if parts else ""


def _discriminator(said: Said) -> str:
    if not isinstance(said.value, dict) or "propertyName" not in said.value:
        return _as_it_is(said)
    return f"The property {said.value['propertyName']!r} tells the alternatives apart."


def _unevaluated(said: Said) -> str:
    if said.value in (True, {}):
        return ""
    return f"{said.keyword}: {said.render(said.value)}."


def _flag(text: str) -> Callable[[Said], str]:
    return lambda said: text if said.value else ""


def _with_value(text: str) -> Callable[[Said], str]:
    return lambda said: text.format(said.value)


_SENTENCES: dict[str, Callable[[Said], str]] = {
    "format": _with_value("Format: {}."),
    "multipleOf": _multiple,
    "exclusiveMinimum": _with_value("Greater than {}."),
    "exclusiveMaximum": _with_value("Less than {}."),
    "uniqueItems": _flag("All items must differ."),
    "minProperties": lambda said: f"At least {said.value} properties." if said.value else "",
    "maxProperties": _with_value("At most {} properties."),
    "propertyNames": _names,
    "dependentRequired": _dependent,
    "dependentSchemas": _dependent_schemas,
    "patternProperties": _patterns,
    "prefixItems": _positions,
    "contains": _contains,
    "not": lambda said: f"Must not match {said.render(said.value)}.",
    "if": _condition,
    "examples": lambda said: f"Examples: {_json(said.value)}." if said.value else "",
    "deprecated": _flag("Deprecated."),
    "readOnly": _flag("Read only."),
    "writeOnly": _flag("Write only."),
    "discriminator": _discriminator,
    "unevaluatedProperties": _unevaluated,
    "unevaluatedItems": _unevaluated,
}


def unmerged(more: Schema, render: Render) -> Wording:
    """Word a keyword for which the level has another value already."""
    keyword, value = next(iter(more.items()))
    shown = (
        render(value) if isinstance(value, dict | bool) and keyword in _SUBSCHEMA else _json(value)
    )
    return Wording(keyword, f"Also {keyword}: {shown}.", keyword not in _FREE)


_SUBSCHEMA = frozenset({"not", "if", "then", "else", "contains", "propertyNames"})


def describe(description: str | None, texts: list[str]) -> str | None:
    """Append sentences to a description, each once."""
    lines = [description] if description else []
    for text in texts:
        if not any(text in line for line in lines):
            lines.append(text)
    if len(lines) > 1 and lines[0] == description:
        return f"{lines[0]}\n{' '.join(lines[1:])}"
    return " ".join(lines) or description


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
