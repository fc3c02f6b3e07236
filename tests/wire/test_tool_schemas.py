"""Schemas reach Kimi in its dialect and mean the same."""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema
from jsonschema import Draft202012Validator
from langchain_core.tools import BaseTool, tool
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from typing_extensions import TypedDict

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas import (
    schema_differences,
    schema_issues,
    to_kimi_schema,
    to_kimi_tool,
)

Schema = dict[str, Any]
LIMITS = ("properties, at most", "enum values, at most", "nested deeper", "alternatives, 1 to")
ANY = ["string", "number", "boolean", "object", "array", "null"]


def is_valid(schema: Schema, value: Any) -> bool:
    return bool(Draft202012Validator(schema).is_valid(value))


def faults(schema: Schema) -> list[str]:
    """Return what is wrong with a schema of the dialect, its size apart."""
    return [issue for issue in schema_issues(schema) if not any(word in issue for word in LIMITS)]


# --- the dialect's own cases ------------------------------------------------------------------

WALLE = Path(__file__).parents[3] / "shared" / "data" / "walle"


def walle_cases() -> list[Any]:
    return [
        pytest.param(json.loads(line), id=f"{path.parent.name}-{number}")
        for path in sorted(WALLE.glob("*/valid.jsonl"))
        for number, line in enumerate(path.read_text().splitlines())
        if line.strip()
    ]


@pytest.mark.skipif(not walle_cases(), reason="Moonshot's schema cases are not on this machine")
@pytest.mark.parametrize("schema", walle_cases())
def test_walle_schemas_come_through(schema: Schema) -> None:
    sent = to_kimi_schema(schema)
    assert [d for d in schema_differences(schema) if d.effect == "narrower"] == []
    assert faults(sent) == []
    if "$ref" not in json.dumps(schema):
        plain = {key: value for key, value in schema.items() if key != "$defs"}
        assert normal(sent) == normal(plain)
    assert to_kimi_schema(sent) == sent


def normal(schema: Any) -> Any:
    """Write `type: [t]` as `type: t`, and the only alternative of an `anyOf` in its place."""
    if isinstance(schema, list):
        return [normal(sub) for sub in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {"anyOf"} and len(schema["anyOf"]) == 1:
        return normal(schema["anyOf"][0])
    return {
        key: value[0]
        if key == "type" and isinstance(value, list) and len(value) == 1
        else normal(value)
        for key, value in schema.items()
    }


# --- the same values are valid ------------------------------------------------------------------

KEYS = ("a", "b", "kind")
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.sampled_from([0.5, 2.0, 7.25, -1.5]),
    st.sampled_from(["", "a", "b", "abc", "2024-01-01"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)


def strings(draw: st.DrawFn) -> Schema:
    keywords = {
        "minLength": st.integers(0, 2),
        "maxLength": st.integers(2, 4),
        "pattern": st.sampled_from(["^a", "b$"]),
        "format": st.just("date"),
    }
    return {"type": "string"} | draw(st.fixed_dictionaries({}, optional=keywords))


def numbers(draw: st.DrawFn) -> Schema:
    keywords = {
        "minimum": st.sampled_from([-2, 0, 0.5]),
        "maximum": st.sampled_from([3, 7.5, 10]),
        "exclusiveMinimum": st.sampled_from([-1, 0, 1.5]),
        "exclusiveMaximum": st.sampled_from([4, 8.5]),
        "multipleOf": st.sampled_from([1, 2, 3]),
    }
    kind = draw(st.sampled_from(["integer", "number"]))
    return {"type": kind} | draw(st.fixed_dictionaries({}, optional=keywords))


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> Any:
    """Draw schemas with every keyword, sound and odd, that tools are described with."""
    leaf = draw(st.integers(0, 7 if depth else 4))
    if leaf == 0:
        return strings(draw)
    if leaf == 1:
        return numbers(draw)
    if leaf == 2:
        values = draw(st.lists(SCALARS, min_size=1, max_size=4))
        if draw(st.booleans()):
            return {"const": values[0]}
        return {"enum": values} | draw(
            st.fixed_dictionaries({}, optional={"type": st.sampled_from(["string", "integer"])})
        )
    if leaf == 3:
        types = draw(st.lists(st.sampled_from([*ANY, "integer"]), min_size=1, unique=True))
        optional = {"minLength": st.just(1), "minimum": st.just(0), "default": SCALARS}
        return {"type": types} | draw(st.fixed_dictionaries({}, optional=optional))
    if leaf == 4:
        return draw(st.sampled_from([True, False, {}, {"minLength": 1}, {"type": "null"}]))
    inner = schemas(depth - 1)
    if leaf == 5:
        return draw(arrays(inner))
    if leaf == 6:
        return draw(objects(inner))
    word = draw(st.sampled_from(["anyOf", "oneOf", "allOf"]))
    beside: list[Schema] = [{}, {}, {"type": "object"}, {"minLength": 1}, {"title": "T"}]
    return draw(st.sampled_from(beside)) | {word: draw(st.lists(inner, min_size=1, max_size=3))}


def arrays(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    optional = {
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 3),
        "uniqueItems": st.booleans(),
        "contains": inner,
    }
    return st.fixed_dictionaries({"type": st.just("array")}, optional=optional)


def objects(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    optional = {
        "properties": st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
        "required": st.lists(st.sampled_from(KEYS), max_size=2, unique=True),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(st.just("^k"), inner, max_size=1),
        "minProperties": st.integers(0, 2),
        "propertyNames": st.just({"maxLength": 2}),
        "not": inner,
    }
    return st.fixed_dictionaries({"type": st.just("object")}, optional=optional)


@st.composite
def instances(draw: st.DrawFn, schema: Any, root: Schema, depth: int = 4) -> Any:
    """Draw values that mostly fit a schema of the dialect."""
    if draw(st.integers(0, 9)) == 0 or depth == 0 or not schema:
        return draw(VALUES)
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        target = root if name == "#" else root["$defs"][name]
        return draw(instances(target, root, depth - 1))
    if "anyOf" in schema:
        return draw(instances(draw(st.sampled_from(schema["anyOf"])), root, depth))
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kinds = schema["type"]
    kind = kinds if isinstance(kinds, str) else draw(st.sampled_from(kinds))
    if kind == "object":
        return draw(dictionaries(schema, root, depth))
    if kind == "array":
        size = draw(st.integers(schema.get("minItems", 0), schema.get("maxItems", 3)))
        return [draw(instances(schema.get("items", {}), root, depth - 1)) for _ in range(size)]
    return draw(SCALARS)


@st.composite
def dictionaries(draw: st.DrawFn, schema: Schema, root: Schema, depth: int) -> Any:
    names = draw(st.sets(st.sampled_from(KEYS))) | {*schema.get("required", ())}
    rest = schema.get("additionalProperties", True)
    return {
        name: draw(instances(sub if isinstance(sub, dict) else {}, root, depth - 1))
        for name in sorted(names)
        for sub in [schema.get("properties", {}).get(name, rest)]
        if sub is not False or name in schema.get("required", ())
    }


RELAXED = settings(
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@RELAXED
@given(st.data())
def test_what_is_sent_accepts_the_same(data: st.DataObject) -> None:
    schema = data.draw(schemas().filter(lambda drawn: isinstance(drawn, dict)), "schema")
    before = copy.deepcopy(schema)
    sent = to_kimi_schema(schema)
    assert schema == before
    assert faults(sent) == []
    assert json.dumps(to_kimi_schema(schema)) == json.dumps(sent)
    effects = {difference.effect for difference in schema_differences(schema)}
    value = data.draw(instances(sent, sent), "value")
    if "narrower" not in effects:
        assert is_valid(sent, value) or not is_valid(schema, value)
    if "wider" not in effects:
        assert is_valid(schema, value) or not is_valid(sent, value)


@RELAXED
@given(st.data())
def test_values_made_for_the_original_are_accepted(data: st.DataObject) -> None:
    schema = data.draw(schemas().filter(lambda drawn: isinstance(drawn, dict)), "schema")
    effects = {difference.effect for difference in schema_differences(schema)}
    value = data.draw(from_schema(schema) | st.just(None), "value")
    if is_valid(schema, value) and "narrower" not in effects:
        assert is_valid(to_kimi_schema(schema), value)


# --- recursion ----------------------------------------------------------------------------------

RECURSIVE: dict[str, Schema] = {
    "below the root": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/N", "description": "first"}},
        "$defs": {
            "N": {
                "type": "object",
                "properties": {"a": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}},
                "required": ["a"],
            }
        },
    },
    "the root itself": {
        "type": "object",
        "properties": {"a": {"$ref": "#"}, "b": {"type": "integer"}},
        "additionalProperties": False,
    },
    "the root by name": {
        "$defs": {
            "N": {
                "type": "object",
                "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/N"}}},
                "additionalProperties": False,
            }
        },
        "$ref": "#/$defs/N",
    },
    "mutual": {
        "$ref": "#/$defs/x~1y",
        "$defs": {
            "x/y": {"type": "object", "properties": {"a": {"$ref": "#/$defs/B"}}},
            "B": {"type": "array", "items": {"$ref": "#/$defs/x~1y"}},
        },
    },
    "with more to say beside it": {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/N", "required": ["b"]}},
        "$defs": {
            "N": {
                "type": "object",
                "properties": {"a": {"$ref": "#/$defs/N"}, "b": {"type": "integer"}},
            }
        },
    },
    "through definitions of draft 7": {
        "type": "object",
        "properties": {"a": {"$ref": "#/definitions/N"}},
        "definitions": {
            "N": {"type": "object", "additionalProperties": {"$ref": "#/definitions/N"}}
        },
    },
    "by anchor": {
        "type": "object",
        "properties": {"a": {"$ref": "#node"}},
        "$defs": {"N": {"$anchor": "node", "type": "array", "items": {"$ref": "#node"}}},
    },
}


@pytest.mark.parametrize("name", RECURSIVE)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_recursion_is_kept_exactly(name: str, data: st.DataObject) -> None:
    schema = RECURSIVE[name]
    sent = to_kimi_schema(schema)
    assert schema_differences(schema) == []
    assert schema_issues(sent) == []
    assert "$ref" in json.dumps(sent)
    value = data.draw(instances(sent, sent))
    assert is_valid(schema, value) == is_valid(sent, value)


def test_two_recursions_at_once_end_in_words() -> None:
    node = {"type": "object", "properties": {"a": {"$ref": "#/$defs/N"}}}
    other = {"type": "object", "properties": {"a": {"$ref": "#/$defs/M"}}}
    schema = {
        "allOf": [{"$ref": "#/$defs/N"}, {"$ref": "#/$defs/M"}],
        "$defs": {"N": node, "M": other},
    }
    sent = to_kimi_schema(schema)
    assert "Also: " in json.dumps(sent)
    assert [difference.effect for difference in schema_differences(schema)] == ["wider"]


def test_a_reference_to_itself_says_nothing() -> None:
    assert to_kimi_schema({"$ref": "#", "type": "string"}) == {"type": "string"}


def test_references_that_would_swell_stay() -> None:
    definitions: Schema = {"D0": {"type": "string"}}
    for level in range(1, 20):
        twice = {"$ref": f"#/$defs/D{level - 1}"}
        definitions[f"D{level}"] = {"type": "object", "properties": {"a": twice, "b": twice}}
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/D19"}}, "$defs": definitions}
    sent = to_kimi_schema(schema)
    assert len(json.dumps(sent)) < 5_000
    assert faults(sent) == []


# --- what becomes of each keyword ---------------------------------------------------------------

STRING = {"type": "string"}
CASES: dict[str, tuple[Any, Schema]] = {
    "reference inlined": (
        {"$defs": {"S": STRING}, "type": "array", "items": {"$ref": "#/$defs/S"}},
        {"type": "array", "items": STRING},
    ),
    "reference into the middle": (
        {"type": "object", "properties": {"a": STRING, "b": {"$ref": "#/properties/a"}}},
        {"type": "object", "properties": {"a": STRING, "b": STRING}},
    ),
    "two descriptions": (
        {"$defs": {"S": {**STRING, "description": "A name."}}, "description": "Whose.",
         "$ref": "#/$defs/S"},
        {**STRING, "description": "Whose.\nA name."},
    ),
    "reference with constraints beside it": (
        {"$defs": {"S": {**STRING, "minLength": 1, "maxLength": 9}}, "$ref": "#/$defs/S",
         "minLength": 3},
        {**STRING, "minLength": 3, "maxLength": 9},
    ),
    "type from enum": ({"enum": ["a", "b"]}, {**STRING, "enum": ["a", "b"]}),
    "type from const": ({"const": 3}, {"type": "integer", "enum": [3]}),
    "type from properties": (
        {"properties": {"a": {"enum": [1, 2.5]}}},
        {"type": "object", "properties": {"a": {"type": "number", "enum": [1, 2.5]}}},
    ),
    "type from items": ({"items": STRING}, {"type": "array", "items": STRING}),
    "no type to be had": (
        {"type": "object", "properties": {"a": {"description": "x"}, "b": {}, "c": True}},
        {"type": "object", "properties": {"a": {"type": ANY, "description": "x"},
                                          "b": {"type": ANY}, "c": {"type": ANY}}},
    ),
    "type contradicting its enum": (
        {"type": "string", "enum": [1, 2]}, {"type": "integer", "enum": [1, 2]}
    ),
    "enum in part of the type": (
        {"type": "string", "enum": ["a", 1]}, {**STRING, "enum": ["a"]}
    ),
    "enum with null": (
        {"enum": ["a", None]}, {"type": ["string", "null"], "enum": ["a", None]}
    ),
    "mixed enum": (
        {"enum": ["a", 1, True]},
        {"anyOf": [{**STRING, "enum": ["a"]}, {"type": "integer", "enum": [1]},
                   {"type": "boolean", "enum": [True]}]},
    ),
    "enum of objects": (
        {"enum": [{"a": 1}]}, {"type": "object", "description": 'One of [{"a":1}].'}
    ),
    "types with constraints": (
        {"type": ["string", "null"], "minLength": 1},
        {"anyOf": [{**STRING, "minLength": 1}, {"type": "null"}]},
    ),
    "oneOf apart by type": (
        {"oneOf": [STRING, {"type": "integer"}]}, {"anyOf": [STRING, {"type": "integer"}]}
    ),
    "oneOf that overlaps": (
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        {"description": "Exactly one of the alternatives holds.",
         "anyOf": [{"type": "number"}, {"type": "integer"}]},
    ),
    "allOf merged": (
        {"allOf": [{"type": "object", "properties": {"a": STRING}, "required": ["a"]},
                   {"properties": {"b": STRING}, "required": ["b"]}], "title": "T"},
        {"type": "object", "title": "T", "properties": {"a": STRING, "b": STRING},
         "required": ["a", "b"]},
    ),
    "allOf where one side is closed": (
        {"allOf": [{"type": "object", "properties": {"a": STRING}, "additionalProperties": False},
                   {"properties": {"b": STRING}}]},
        {"type": "object", "properties": {"a": STRING}, "additionalProperties": False},
    ),
    "anyOf with constraints beside it": (
        {"type": "object", "properties": {"a": STRING, "b": STRING},
         "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"anyOf": [{"type": "object", "properties": {"a": STRING, "b": STRING}, "required": [key]}
                   for key in "ab"]},
    ),
    "default beside anyOf": (
        {"anyOf": [STRING, {"type": "null"}], "default": None, "description": "Who."},
        {"description": "Who.\nDefault: null.", "anyOf": [STRING, {"type": "null"}]},
    ),
    "required and not declared": (
        {"type": "object", "required": ["a"], "additionalProperties": STRING},
        {"type": "object", "properties": {"a": STRING}, "required": ["a"],
         "additionalProperties": STRING},
    ),
    "integer bounds": (
        {"type": "integer", "exclusiveMinimum": 0, "maximum": 9.5, "exclusiveMaximum": 10},
        {"type": "integer", "minimum": 1, "maximum": 9},
    ),
    "number bounds": (
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "description": "Greater than 0.", "minimum": 0},
    ),
    "bounds of draft 4": (
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {"type": "integer", "minimum": 1},
    ),
    "tuple": (
        {"type": "array", "prefixItems": [STRING, {"type": "integer"}], "items": False},
        {"type": "array", "description": 'Items in order: {"type":"string"}, {"type":"integer"}.',
         "items": {"anyOf": [STRING, {"type": "integer"}]}, "maxItems": 2},
    ),
    "tuple of draft 7": (
        {"type": "array", "items": [STRING, STRING], "additionalItems": False, "minItems": 2},
        {"type": "array", "items": STRING, "minItems": 2, "maxItems": 2},
    ),
    "no items at all": (
        {"type": "array", "items": False}, {"type": "array", "maxItems": 0}
    ),
    "names by pattern": (
        {"type": "object", "patternProperties": {"^x": STRING}, "additionalProperties": False},
        {"type": "object",
         "description": "Properties whose name matches '^x': {\"type\":\"string\"}.",
         "additionalProperties": STRING},
    ),
    "a property that must not be": (
        {"type": "object", "properties": {"a": False, "b": STRING}},
        {"type": "object", "properties": {
            "a": {"type": ANY, "description": "No value is valid here."}, "b": STRING}},
    ),
    "keywords of another type": (
        {"type": "string", "properties": {"a": STRING}, "uniqueItems": True}, STRING
    ),
    "told in words": (
        {"type": "string", "format": "email", "examples": ["a@b"], "deprecated": True,
         "not": {"const": "x"}, "x-order": 3, "$comment": "for us", "$schema": "draft"},
        {**STRING, "description":
         'Format: email. Examples: ["a@b"]. Deprecated. '
         'Must not match {"type":"string","enum":["x"]}. x-order: 3.'},
    ),
    "arrays in words": (
        {"type": "array", "uniqueItems": True, "contains": STRING, "maxContains": 2},
        {"type": "array",
         "description": 'All items must differ. Contains 1 to 2 of {"type":"string"}.'},
    ),
    "objects in words": (
        {"type": "object", "minProperties": 1, "propertyNames": {"maxLength": 3},
         "dependentRequired": {"a": ["b"]}, "unevaluatedProperties": False,
         "if": {"required": ["a"]}, "then": {"required": ["c"]}},
        {"type": "object", "description":
         'At least 1 properties. Each property name matches {"type":"string","maxLength":3}. '
         "With 'a' also 'b'. unevaluatedProperties: nothing. "
         'If {"type":"object","properties":{"a":{"type":["string","number","boolean","object",'
         '"array","null"]}},"required":["a"]}: then {"type":"object","properties":{"c":{"type":'
         '["string","number","boolean","object","array","null"]}},"required":["c"]}.'},
    ),
    "anything": ({}, {}),
    "nothing": (
        {"allOf": [STRING, {"type": "integer"}]},
        {"type": ANY, "description": "No value is valid here."},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_keywords(name: str) -> None:
    schema, expected = CASES[name]
    before = copy.deepcopy(schema)
    sent = to_kimi_schema(schema)
    assert sent == expected
    assert schema == before
    assert schema_issues(sent) == []


def test_words_are_not_lost_in_alternatives() -> None:
    sent = to_kimi_schema({
        "anyOf": [{"type": "string", "format": "date"}, {"type": "integer", "multipleOf": 5}],
        "description": "When.",
    })  # fmt: skip
    assert sent["description"] == "When."
    assert [branch["description"] for branch in sent["anyOf"]] == [
        "Format: date.",
        "A multiple of 5.",
    ]


def test_many_groups_of_alternatives_do_not_multiply_out() -> None:
    group = {"anyOf": [{"required": [name]} for name in "abcd"]}
    schema = {"type": "object", "allOf": [group, group, group]}
    sent = to_kimi_schema(schema)
    assert len(sent["anyOf"]) <= 10
    assert "Also anyOf" in sent["description"]
    assert {difference.effect for difference in schema_differences(schema)} == {"wider"}


def test_keys_have_one_order() -> None:
    sent = to_kimi_schema({"description": "d", "properties": {"b": STRING, "a": STRING},
                           "type": "object"})  # fmt: skip
    assert list(sent) == ["type", "description", "properties"]
    assert list(sent["properties"]) == ["b", "a"]


def test_the_result_shares_nothing_with_the_original() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "default": {"a": "x"}}
    sent = to_kimi_schema(schema)
    sent["default"]["a"] = sent["properties"]["a"]["enum"][0] = "changed"
    assert schema == {
        "type": "object",
        "properties": {"a": {"enum": ["x"]}},
        "default": {"a": "x"},
    }


def nested(depth: int) -> Schema:
    schema: Schema = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "https://x.test/schema.json"}, "outside itself"),
        ({"$ref": "#/$defs/Nowhere"}, "where there is no schema"),
        ({"type": "object", "properties": {"a": "string"}}, "no JSON Schema|where a schema"),
        ({"type": "object", "properties": ["a"]}, "no JSON Schema"),
        ({"type": 3}, "no JSON Schema"),
        (nested(100), "deeper than 64"),
        (nested(5_000), "deep"),
    ],
)
def test_what_cannot_be_sent_is_an_error(schema: Schema, message: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=message):
        to_kimi_schema(schema)


# --- issues -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "issue"),
    [
        ({"type": "object", "properties": {f"p{n}": STRING for n in range(101)}}, "101 properties"),
        ({"type": "integer", "enum": list(range(501))}, "501 enum values"),
        ({"anyOf": [STRING] * 11}, "11 alternatives"),
        ({"type": "object", "properties": {"a": {}}}, "type is not defined"),
        ({"type": "object", "properties": {"$ref": STRING}}, "may not be named '$ref'"),
        ({"type": "object", "required": ["a"]}, "'a' is not among the properties"),
        ({"type": "string", "format": "date"}, "unknown keyword 'format'"),
        ({"type": "string", "minItems": 1}, "'minItems' does not go with type 'string'"),
        ({"type": "string", "anyOf": [STRING]}, "'type' beside anyOf"),
        ({"$ref": "#/$defs/A"}, "refers to nothing"),
        ({"type": "array", "items": {"type": "string", "$defs": {}}}, "at the root only"),
        ({"type": "string", "enum": [1]}, "is not of type"),
        ({"type": "string", "enum": []}, "enum is empty"),
        ({"type": ["string", "integer"], "enum": ["a"]}, "one scalar type"),
        ({"type": ["string", "integer"], "default": 1}, "several types"),
        ({"type": "text"}, "is no type"),
        ({"type": "integer", "minimum": 3, "maximum": 1}, "above the upper"),
    ],
)
def test_issues(schema: Schema, issue: str) -> None:
    assert any(issue in found for found in schema_issues(schema)), schema_issues(schema)


def test_levels_are_counted_by_properties() -> None:
    schema: Schema = STRING
    for _ in range(6):
        schema = {"type": "object", "properties": {"a": schema}}
    assert schema_issues(schema["properties"]["a"]) == []
    assert any("deeper than 5 levels" in issue for issue in schema_issues(schema))


def test_limits_are_reported_and_not_cut() -> None:
    schema = {"type": "object", "properties": {f"p{n}": STRING for n in range(150)}}
    assert len(to_kimi_schema(schema)["properties"]) == 150


# --- python types -------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"
    NONE = None


T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    content: T


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    good: bool = True


class Tree(BaseModel):
    """A tree."""

    model_config = ConfigDict(extra="forbid")
    value: Annotated[int, Field(gt=0)]
    left: Tree | None = None
    more: list[Tree] = []


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Address(TypedDict, total=False):
    street: str
    number: int


class Everything(BaseModel):
    color: Color = Color.RED
    level: Level
    mixed: Mixed
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    maybe: str | None = None
    either: int | str
    many: tuple[int, ...]
    table: dict[str, int]
    box: Box[int]
    tree: Tree
    point: Point
    address: Address
    short: Annotated[str, Field(min_length=2, max_length=5, pattern="^a")]
    renamed: int = Field(alias="theAlias")
    fixed: Literal["a", 3]


EXACT: list[Any] = [
    Color, Level, Mixed, Box[str], Cat, Tree, Point, Address, Everything, list[Cat], Cat | Dog,
    Cat | None, dict[str, Tree], Literal["x", "y"], list[list[int]], bool | int, None, Any,
]  # fmt: skip


@pytest.mark.parametrize("kind", EXACT, ids=str)
@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_python_types_are_sent_exactly(kind: Any, data: st.DataObject) -> None:
    schema = TypeAdapter(kind).json_schema()
    sent = to_kimi_schema(schema)
    assert schema_differences(schema) == []
    assert schema_issues(sent) == []
    value = data.draw(instances(sent, sent))
    assert is_valid(schema, value) == is_valid(sent, value)


def test_a_value_made_for_what_was_sent_is_taken_by_the_model() -> None:
    sent = to_kimi_schema(Everything.model_json_schema())
    value = {
        "level": 2, "mixed": None, "pet": {"kind": "dog"}, "either": "x", "many": [1, 2],
        "table": {"a": 1}, "box": {"content": 3}, "point": {"x": 1.5}, "address": {},
        "tree": {"value": 1, "left": {"value": 2}}, "short": "abc", "theAlias": 4, "fixed": "a",
    }  # fmt: skip
    assert is_valid(sent, value)
    assert Everything.model_validate(value).tree.left is not None


# --- tools --------------------------------------------------------------------------------------


@tool
def plant(tree: Tree, color: Color, times: int = 1) -> str:
    """Plant a tree."""
    return f"{tree} {color} {times}"


def water(tree: Tree, litres: float = 1.0) -> str:
    """Water a tree.

    Args:
        tree: Which one.
        litres: How much.
    """
    return f"{tree} {litres}"


class Walk(TypedDict):
    """Go somewhere."""

    where: Annotated[str, ..., "The place."]


class Bare(BaseTool):
    name: str = "bare"
    description: str = "Takes nothing."

    def _run(self) -> str:
        return ""


def test_recursive_arguments_survive() -> None:
    for made in (plant, water):
        function = to_kimi_tool(made)["function"]
        parameters = function["parameters"]
        assert parameters["properties"]["tree"]["$ref"] == "#/$defs/Tree"
        assert parameters["$defs"]["Tree"]["properties"]["value"]["minimum"] == 1
        assert "title" not in json.dumps(parameters)
        assert schema_issues(parameters) == []
    assert function["description"] == "Water a tree."
    assert parameters["properties"]["litres"]["description"] == "How much."


def test_a_recursive_model_is_a_tool() -> None:
    function = to_kimi_tool(Tree)["function"]
    assert function["name"] == "Tree"
    assert function["description"] == "A tree."
    assert function["parameters"]["properties"]["more"]["items"] == {"$ref": "#"}
    assert "description" not in function["parameters"]


@pytest.mark.parametrize("made", [plant, water, Walk, Cat, Tree, Everything, Bare()], ids=range(7))
def test_tools_of_every_kind(made: Any) -> None:
    sent = to_kimi_tool(made)
    assert sent["type"] == "function"
    assert sent["function"]["name"]
    assert sent["function"]["parameters"]["type"] == "object"
    assert schema_issues(sent["function"]["parameters"]) == []
    assert json.dumps(to_kimi_tool(made)) == json.dumps(sent)


def test_mappings() -> None:
    parameters = {"properties": {"a": {"const": "x"}}, "required": ["a"]}
    expected = {
        "type": "object",
        "properties": {"a": {"type": "string", "enum": ["x"]}},
        "required": ["a"],
    }
    function = {"name": "f", "description": "d", "parameters": parameters, "strict": True}
    before = copy.deepcopy(function)
    for mapping in (function, {"type": "function", "function": function},
                    {"name": "f", "description": "d", "input_schema": parameters}):  # fmt: skip
        sent = to_kimi_tool(mapping)
        assert sent["function"] == {"name": "f", "description": "d", "parameters": expected}
    assert to_kimi_tool(function, keep_strict=True)["function"]["strict"] is True
    assert function == before


def test_a_tool_without_arguments() -> None:
    for mapping in ({"name": "f"}, {"name": "f", "parameters": {}}):
        sent = to_kimi_tool({"type": "function", "function": mapping})
        assert sent["function"]["parameters"] == {"type": "object", "properties": {}}


@pytest.mark.parametrize(
    "mapping",
    [
        {"type": "builtin_function", "function": {"name": "$web_search"}},
        {"type": "function", "function": {"name": "$web_search", "description": "x"}},
        {"name": "$web_search"},
    ],
)
def test_built_in_functions_go_by_name_alone(mapping: Schema) -> None:
    assert to_kimi_tool(mapping) == {
        "type": "builtin_function",
        "function": {"name": "$web_search"},
    }


@pytest.mark.parametrize("odd", [{"type": "web_search_preview"}, {"what": 1}, 3])
def test_what_is_no_tool_is_an_error(odd: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match="tool"):
        to_kimi_tool(odd)
