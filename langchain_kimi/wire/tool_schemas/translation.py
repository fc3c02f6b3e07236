"""From JSON Schema to Kimi's dialect.

What the dialect can say is kept exactly. What it cannot say becomes a sentence in the description,
which accepts more than the original did; the one place that accepts less is a subschema without
`type`, read as the type that its keywords speak of. Each such difference is recorded.
"""

from __future__ import annotations

import itertools
import json
import math
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas.alternatives import are_disjoint, one_of
from langchain_kimi.wire.tool_schemas.keywords import (
    ANNOTATIONS,
    ANY_TYPE,
    STRUCTURAL,
    STRUCTURAL_KEYWORDS,
    Schema,
    is_of_type,
    ordered,
)
from langchain_kimi.wire.tool_schemas.merging import Level, merge
from langchain_kimi.wire.tool_schemas.references import References
from langchain_kimi.wire.tool_schemas.shapes import array_body, object_body
from langchain_kimi.wire.tool_schemas.values import bounds, by_type, is_empty
from langchain_kimi.wire.tool_schemas.wording import describe, unmerged, wordings

MAX_DEPTH = 64
MAX_BRANCHES = 10
"""Alternatives of an `anyOf` (walle); several groups are multiplied out up to this many."""
IMPOSSIBLE = "No value is valid here."


@dataclass(frozen=True)
class SchemaDifference:
    """A place where what is sent accepts other values than the original."""

    path: str
    keyword: str
    effect: Literal["wider", "narrower"]

    def __str__(self) -> str:
        """Say it in a line."""
        return f"{self.path or '/'}: {self.keyword} ({self.effect})"


class Translator:
    """Translates one schema document.

    Args:
        root: The document; never changed.
    """

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._references = References(root)
        self._root_ref = self._references.root_reference()
        self._definitions: dict[str, Any] = {}
        self._depth = 0
        self._unrolling: list[frozenset[str]] = []
        self.differences: list[SchemaDifference] = []

    def translate(self) -> Schema:
        """Return the document in the dialect."""
        result = self.stated(self.node(self._root, "", unroll=True), "")
        definitions = self._kept_definitions()
        if result == {"type": ANY_TYPE}:
            result = {}
        if isinstance(self._root.get("$id"), str):
            result["$id"] = self._root["$id"]
        if definitions:
            result["$defs"] = definitions
        return ordered(result)

    def _kept_definitions(self) -> Schema:
        done: Schema = {}
        while len(done) < len(self._definitions):
            for name, target in list(self._definitions.items()):
                if name not in done:
                    path = f"/$defs/{name}"
                    done[name] = self.stated(self.node(target, path, unroll=True), path)
        return done

    def node(self, schema: Any, path: str, *, unroll: bool = False) -> Schema | Literal[False]:
        """Translate a subschema; `{}` stands for any value, False for none."""
        if not isinstance(schema, dict | bool):
            msg = f"the schema has {schema!r:.80} at {path or '/'}, where a schema is needed"
            raise KimiInvalidInputError(msg)
        if self._depth == MAX_DEPTH:
            msg = f"the schema is nested deeper than {MAX_DEPTH} levels; make it flatter"
            raise KimiInvalidInputError(msg)
        self._depth += 1
        level = merge(schema, self._references, unroll=unroll)
        found = (
            self._with_references(schema, level, path) if level.refs else self._level(level, path)
        )
        self._depth -= 1
        return found

    def _with_references(self, schema: Any, level: Level, path: str) -> Schema | Literal[False]:
        """Translate a level with recursive references: as a reference, or followed one step."""
        refs = frozenset(level.refs)
        alone = len(refs) == 1 and not level.groups and set(level.words) <= {"title", "description"}
        if alone and not level.impossible:
            return self._reference(level.refs[0], level.words, [])
        if refs not in self._unrolling:
            self._unrolling.append(refs)
            result = self._level(merge(schema, self._references, unroll=True), path)
            self._unrolling.pop()
            return result
        self.note(path, "allOf", "wider")
        others = {**level.words, "allOf": [{"$ref": ref} for ref in level.refs[1:]]}
        annotations = {key: others.pop(key) for key in ANNOTATIONS if key in others}
        return self._reference(level.refs[0], annotations, [f"Also: {_json(others)}."])

    def _reference(self, pointer: str, words: Schema, texts: list[str]) -> Schema:
        if pointer in ("#", self._root_ref):
            ref = "#"
        else:
            name = self._references.name(pointer)
            self._definitions[name] = self._references.target(pointer)
            ref = f"#/$defs/{name}"
        return self._annotated({"$ref": ref}, words, texts)

    def _level(self, level: Level, path: str) -> Schema | Literal[False]:
        if level.impossible:
            return False
        words = level.words
        types = words.get("type")
        if "enum" not in words and types is None and not level.groups:
            types = self._inferred(words, path)
            words = words if types is None else {**words, "type": types}
        texts = self._texts(level, types, path)
        if level.groups:
            result = self._alternatives(words, level.groups, path, texts)
        elif "enum" in words:
            result = self._enumerated(words, path, texts)
        elif types is None:
            result = {}
        else:
            result = self._typed(words, types, path)
        if result is False:
            return False
        return self._annotated(result, words, texts)

    def _texts(self, level: Level, types: list[str] | None, path: str) -> list[str]:
        words = level.words
        if level.groups:
            words = {key: words[key] for key in words if key not in STRUCTURAL_KEYWORDS}
        found = list(wordings(words, types, self._render))
        found += [unmerged(more, self._render) for more in level.unmerged]
        for wording in found:
            if wording.asserts:
                self.note(path, wording.keyword, "wider")
        return [wording.text for wording in found]

    def _inferred(self, words: Schema, path: str) -> list[str] | None:
        """Return the types that the keywords speak of, None where they speak of none."""
        types = [
            kind
            for kind in ("string", "number", "object", "array")
            if any(word in words for word in STRUCTURAL[kind])
        ]
        if types:
            self.note(path, "type", "narrower")
        return types or None

    def _typed(self, words: Schema, types: list[str], path: str) -> Schema | Literal[False]:
        if len(types) > 1 and not any(word in words for kind in types for word in STRUCTURAL[kind]):
            return {"type": list(types)}
        branches: list[Schema] = []
        free = []
        for kind in types:
            if kind == "integer" and "number" in types:
                continue
            if len(types) > 1 and not any(word in words for word in STRUCTURAL[kind]):
                free.append(kind)
                continue
            branch = self._single(kind, words, path)
            if branch is not False:
                branches.append(branch)
        if free:
            branches.append({"type": free[0] if len(free) == 1 else free})
        return one_of(branches)

    def _single(self, kind: str, words: Schema, path: str) -> Schema | Literal[False]:
        if kind == "object":
            body = object_body(self, words, path)
        elif kind == "array":
            body = array_body(self, words, path)
        else:
            body = bounds(kind, words)
        return False if body is False or is_empty(body) else {"type": kind, **body}

    def _enumerated(self, words: Schema, path: str, texts: list[str]) -> Schema | Literal[False]:
        types = words.get("type")
        values = words["enum"]
        if types is not None:
            fitting = [value for value in values if any(is_of_type(value, kind) for kind in types)]
            if values and not fitting:
                self.note(path, "type", "wider")
                types = None
            else:
                values = fitting
        held = by_type(values, types)
        branches: list[Schema] = []
        for kind, some in held.items():
            branch = self._single(kind, words, path)
            if branch is False:
                continue
            if kind in ("object", "array"):
                self.note(path, "enum", "wider")
                texts.append(f"One of {_json(some)}.")
            else:
                branch["enum"] = some
            branches.append(branch)
        scalar = next((kind for kind in held if kind != "null"), "null")
        plain = all(set(branch) <= {"type", "enum"} for branch in branches)
        if plain and set(held) <= {scalar, "null"} and scalar not in ("object", "array", "null"):
            given = types if types is not None and {*types} == {scalar, "null"} else None
            if given or "null" in held:
                return {"type": list(given or (scalar, "null")), "enum": deepcopy(values)}
        return one_of(branches)

    def _alternatives(
        self, words: Schema, groups: list[tuple[str, list[Any]]], path: str, texts: list[str]
    ) -> Schema | Literal[False]:
        """Translate `anyOf` and `oneOf`, with what stands beside them put into each branch."""
        while len(groups) > 1 and math.prod(len(branches) for _, branches in groups) > MAX_BRANCHES:
            kind, branches = groups[-1]
            groups = groups[:-1]
            self.note(path, kind, "wider")
            texts.append(f"Also {kind}: {self._render({'anyOf': branches})}.")
        shared = {
            key: value
            for key, value in words.items()
            if key in ("type", "enum") or key in STRUCTURAL_KEYWORDS
        }
        kind = groups[0][0]
        found: list[Schema] = []
        for at, chosen in enumerate(itertools.product(*(branches for _, branches in groups))):
            parts = [shared, *chosen] if shared else list(chosen)
            schema = parts[0] if len(parts) == 1 else {"allOf": parts}
            branch = self.node(schema, f"{path}/{kind}/{at}")
            if branch is not False:
                found.append(self.stated(branch, path))
        exclusive = any(kind == "oneOf" for kind, _ in groups)
        if exclusive and (len(groups) > 1 or not are_disjoint(found)):
            self.note(path, "oneOf", "wider")
            texts.append("Exactly one of the alternatives holds.")
        return one_of(found)

    def _annotated(self, schema: Schema, words: Schema, texts: list[str]) -> Schema:
        """Add title, description and default, and the sentences for what is not sent."""
        result = dict(schema)
        if isinstance(words.get("title"), str):
            result["title"] = words["title"]
        if "default" in words:
            if _takes_default(schema, words["default"]):
                result["default"] = deepcopy(words["default"])
            else:
                texts = [*texts, f"Default: {_json(words['default'])}."]
        inner = [schema["description"]] if schema.get("description") else []
        description = describe(words.get("description"), [*inner, *texts])
        if description is not None:
            result["description"] = description
        if result and not {"type", "anyOf", "$ref"} & result.keys():
            result["type"] = list(ANY_TYPE)
        return result

    def stated(self, schema: Schema | Literal[False], path: str) -> Schema:
        """Say `any` and `none` in the dialect, which knows neither `{}` nor False here."""
        if schema is False:
            self.note(path, "false", "wider")
            return {"type": list(ANY_TYPE), "description": IMPOSSIBLE}
        return schema or {"type": list(ANY_TYPE)}

    def _render(self, schema: Any) -> str:
        """Write a subschema for a sentence; what differs within a sentence counts already."""
        known = len(self.differences)
        result = self.node(schema, "/text")
        del self.differences[known:]
        return "nothing" if result is False else _json(ordered(result))

    def note(self, path: str, keyword: str, effect: Literal["wider", "narrower"]) -> None:
        """Record that what is sent accepts other values than the original."""
        difference = SchemaDifference(path, keyword, effect)
        if difference not in self.differences:
            self.differences.append(difference)


def _takes_default(schema: Schema, value: Any) -> bool:
    """Tell whether a default may stand there: beside one type, and of it."""
    kind = schema.get("type")
    return isinstance(kind, str) and is_of_type(value, kind)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
