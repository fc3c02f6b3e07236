"""Filling a JSON schema from words: the stand-in's arguments and structured answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from langchain_kimi.testing.standin.strings import (
    find_strings,
    fit,
    fits,
    purpose_of,
    search_words,
)
from langchain_kimi.testing.standin.vocabulary import FOLDER_TOOLS
from langchain_kimi.testing.standin.words import (
    ADDRESS,
    FILE,
    keywords,
    numbers,
    stem,
    stems,
    words,
)

MAX_DEPTH = 16
OPTIONAL_DEPTH = 3
USUAL = {"folder": ".", "glob": "**/*"}

Schema = Mapping[str, Any]


class Evidence(IntEnum):
    """How well the words support a value."""

    NONE = 0
    """Made up because something had to be there."""
    WEAK = 1
    STRONG = 2


@dataclass(frozen=True)
class Filled:
    """A value, and how well the words support it."""

    value: Any
    evidence: Evidence


@dataclass
class Filler:
    """Fills schemas from a text.

    Attributes:
        text: The words to take values from.
        root: The whole schema, for references.
        found_files: Files found by earlier calls, best first, for want of one in the text.
        on_trail: Whether they were found for this very question.
        tool_words: Stems of the tool's name: ``list_files(path)`` wants a folder.
        made_up: Gives a string where the words have none.
        made_up_first: Whether strings without a purpose are made up, whatever the words.
    """

    text: str
    root: Schema
    found_files: Sequence[str] = ()
    on_trail: bool = False
    tool_words: frozenset[str] = frozenset()
    made_up: Callable[[str], str] | None = None
    made_up_first: bool = False
    _numbers: list[float | int] = field(init=False)
    _used: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        without_paths = FILE.sub(" ", ADDRESS.sub(" ", self.text))
        self._numbers = numbers(without_paths)

    def fill(self, name: str, schema: Schema, depth: int = 0) -> Filled | None:
        """Find a value for a schema; None when a string has none and none may be made up."""
        if depth > MAX_DEPTH:
            return None
        schema = self._plain(schema)
        branches = schema.get("anyOf") or schema.get("oneOf")
        if branches:
            return self._branch(name, branches, depth)
        if "const" in schema:
            return Filled(schema["const"], Evidence.WEAK)
        if schema.get("enum"):
            return self._choice(schema)
        kind = _kind(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return self._array(name, schema, depth)
        if kind in ("integer", "number"):
            return self._number(schema, whole=kind == "integer")
        if kind == "boolean":
            return self._boolean(name, schema)
        if kind == "null":
            return Filled(None, Evidence.NONE)
        return self._string(name, schema)

    def candidates(self, name: str, schema: Schema) -> list[str]:
        """List all strings of the text that suit a parameter, best first."""
        found = find_strings(self._purpose(name, schema), self.text)
        return [text for text in found if fits(text, schema)]

    def _plain(self, schema: Schema) -> Schema:
        """Follow references, and merge what ``allOf`` joins."""
        for _ in range(MAX_DEPTH):
            if "$ref" in schema:
                schema = _resolve(self.root, str(schema["$ref"]))
            elif schema.get("allOf"):
                schema = _merged(schema)
            else:
                break
        return schema

    def _branch(self, name: str, branches: Sequence[Schema], depth: int) -> Filled | None:
        """Fill the first branch that can be filled; null only when no other can."""
        for branch in sorted(branches, key=lambda branch: branch.get("type") == "null"):
            filled = self.fill(name, branch, depth + 1)
            if filled is not None:
                return filled
        return None

    def _choice(self, schema: Schema) -> Filled:
        asked = stems(self.text)
        best = max(schema["enum"], key=lambda value: len(stems(str(value)) & asked))
        if stems(str(best)) & asked:
            return Filled(best, Evidence.STRONG)
        default = schema.get("default")
        return Filled(default if default in schema["enum"] else schema["enum"][0], Evidence.NONE)

    def _number(self, schema: Schema, *, whole: bool) -> Filled:
        for position, number in enumerate(self._numbers):
            if _in_range(number, schema) and not (whole and isinstance(number, float)):
                self._numbers.pop(position)
                return Filled(number, Evidence.STRONG)
        if isinstance(schema.get("default"), int | float):
            return Filled(schema["default"], Evidence.WEAK)
        return Filled(_some_number(schema, whole=whole), Evidence.NONE)

    def _boolean(self, name: str, schema: Schema) -> Filled:
        about = stems(name)
        asked = [stem(word) for word in words(self.text)]
        for position, word in enumerate(asked):
            if word in about:
                negated = {"no", "not", "without", "don", "never"} & set(asked[:position][-3:])
                return Filled(not negated, Evidence.STRONG)
        default = schema.get("default")
        return Filled(default if isinstance(default, bool) else True, Evidence.NONE)

    def _array(self, name: str, schema: Schema, depth: int) -> Filled:
        items = self._plain(schema.get("items") or {})
        least, most = schema.get("minItems", 0), schema.get("maxItems", 5)
        values: list[Any] = []
        evidence = Evidence.NONE
        if _kind(items) == "string" and not items.get("enum"):
            values = list(self.candidates(name.removesuffix("s"), items)[:most])
            evidence = Evidence.STRONG if values else Evidence.NONE
        while len(values) < max(least, 0 if values else 1) or (_is_number(items) and self._numbers):
            if len(values) >= most:
                break
            filled = self.fill(name, items, depth + 1)
            if filled is None:
                break
            values.append(filled.value)
            evidence = max(evidence, filled.evidence)
        return Filled(values, evidence)

    def _object(self, schema: Schema, depth: int) -> Filled | None:
        required = schema.get("required") or []
        values: dict[str, Any] = {}
        evidence = Evidence.NONE
        for name, subschema in (schema.get("properties") or {}).items():
            needed = name in required
            if depth > OPTIONAL_DEPTH and not needed:
                continue
            filled = self.fill(name, subschema, depth + 1)
            if filled is None and needed:
                return None
            if filled is None or (not needed and filled.evidence < Evidence.STRONG):
                continue
            values[name] = filled.value
            evidence = max(evidence, filled.evidence)
        return Filled(values, evidence)

    def _string(self, name: str, schema: Schema) -> Filled | None:
        purpose = self._purpose(name, schema)
        if purpose == "any" and self.made_up_first and self.made_up is not None:
            return Filled(fit(self.made_up(name), schema), Evidence.WEAK)
        fresh = [found for found in self.candidates(name, schema) if found not in self._used]
        if fresh:
            self._used.add(fresh[0])
            weak = purpose == "any" and self.made_up is not None
            return Filled(fit(fresh[0], schema), Evidence.WEAK if weak else Evidence.STRONG)
        fallback = self._fallback(name, purpose, schema)
        return None if fallback is None else Filled(fit(fallback.value, schema), fallback.evidence)

    def _fallback(self, name: str, purpose: str, schema: Schema) -> Filled | None:
        """Find a string that the words do not give: known, usual, or made up."""
        if isinstance(schema.get("default"), str):
            return Filled(schema["default"], Evidence.WEAK)
        unused = [path for path in self.found_files if path not in self._used]
        if purpose == "file" and unused:
            return Filled(unused[0], Evidence.STRONG if self.on_trail else Evidence.WEAK)
        if purpose in USUAL:
            return Filled(USUAL[purpose], Evidence.WEAK)
        if self.made_up is not None:
            return Filled(self.made_up(name), Evidence.NONE)
        if purpose in ("pattern", "query"):
            searched = search_words(self.text, purpose)
            return Filled(searched, Evidence.WEAK) if searched else None
        if purpose == "any" and self.text.strip():
            return Filled(" ".join(keywords(self.text)) or self.text.strip(), Evidence.NONE)
        return None

    def _purpose(self, name: str, schema: Schema) -> str:
        """Tell what a string is for; a path of a tool that lists or searches is a folder."""
        purpose = purpose_of(name, schema)
        if purpose == "file" and self.tool_words.intersection(FOLDER_TOOLS):
            return "folder"
        return purpose


def _merged(schema: Schema) -> Schema:
    """Merge the branches of ``allOf`` into one schema."""
    whole = {key: value for key, value in schema.items() if key != "allOf"}
    for branch in schema["allOf"]:
        properties = {**whole.get("properties", {}), **branch.get("properties", {})}
        required = [*whole.get("required", ()), *branch.get("required", ())]
        whole = {**whole, **branch}
        if properties:
            whole |= {"properties": properties, "required": required}
    return whole


def _kind(schema: Schema) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((kind for kind in declared if kind != "null"), "null")
    if declared is None and schema.keys() & {"anyOf", "oneOf"}:
        return "branches"
    if declared is None:
        return "object" if "properties" in schema else "string"
    return str(declared)


def _resolve(root: Schema, reference: str) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}


def _is_number(items: Schema) -> bool:
    return _kind(items) in ("integer", "number")


def _in_range(number: float, schema: Schema) -> bool:
    low = schema.get("minimum", schema.get("exclusiveMinimum", number))
    high = schema.get("maximum", schema.get("exclusiveMaximum", number))
    return bool(low <= number <= high)


def _some_number(schema: Schema, *, whole: bool) -> float | int:
    """Make up a number within the bounds, as near to one as they allow."""
    step = 1 if whole else 0.5
    low = schema.get("minimum", schema.get("exclusiveMinimum", 1 - step) + step)
    high = schema.get("maximum", schema.get("exclusiveMaximum", 1 + step) - step)
    number = min(max(1, low), max(high, low))
    return int(number) if whole else float(number)
