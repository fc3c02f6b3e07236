"""Moonshot's flavour of JSON Schema."""

import json
from pathlib import Path

import pytest

from langchain_kimi.testing.mfjs import SchemaError, check_schema

CASES = Path(__file__).parents[3] / "shared" / "data" / "walle"
STRING = {"type": "string"}


def nested(levels: int):
    return STRING if levels == 1 else {"type": "array", "items": nested(levels - 1)}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"type": "object", "properties": {"x": {}}},
            "At path 'properties.x': type is not defined",
        ),
        ({"type": "array", "items": {}}, "At path 'items': type is not defined"),
        ({"oneOf": [STRING]}, "At path '': unsupported keywords: oneOf"),
        ({"allOf": [STRING]}, "unsupported keywords: allOf"),
        ({"type": "object", "patternProperties": {}}, "unsupported keywords: patternProperties"),
        ({"type": "integer", "exclusiveMinimum": 0}, "unsupported keywords: exclusiveMinimum"),
        ({"$schema": "x", "type": "object"}, "unsupported keywords: $schema"),
        ({"type": "text"}, "invalid type text"),
        ({"type": []}, "type array cannot be empty"),
        ({"type": 1}, "type must be string or array of strings"),
        ({"type": "object", "properties": {"$ref": STRING}}, "reserved for JSON Schema"),
        ({"type": "object", "required": ["x"]}, "required property 'x' is not in properties"),
        ({"type": "object", "properties": []}, "properties must be an object"),
        ({"type": "string", "anyOf": [STRING]}, "type should be defined in anyOf items"),
        ({"anyOf": []}, "1 to 10 items"),
        ({"anyOf": [STRING] * 11}, "1 to 10 items"),
        (
            {"anyOf": [STRING], "minLength": 1},
            "minLength is not allowed at the same level as anyOf",
        ),
        ({"$ref": "#/$defs/A"}, "$defs not found for reference"),
        ({"$ref": "http://a/b"}, "references must start with #/$defs/"),
        ({"$ref": 1}, "$ref must be a string"),
        ({"$ref": "#", "type": "string"}, "type should be defined in the referenced schema"),
        (
            {"type": "array", "items": {"type": "object", "$defs": {}}},
            "$defs must be at root level",
        ),
        ({"type": "object", "$defs": {"a/b": STRING}}, "must not contain '/'"),
        ({"type": "string", "enum": []}, "enum array cannot be empty"),
        ({"type": "string", "enum": "a"}, "enum must be an array"),
        ({"type": "string", "enum": ["a", 1]}, "enum value 1 does not match any type"),
        ({"type": "integer", "enum": [True]}, "enum value True does not match any type"),
        ({"type": "string", "enum": [str(n) for n in range(501)]}, "more than 500 items"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, "minimum must not be greater"),
        ({"type": "array", "items": []}, "items must be an object"),
        ({"type": "string", "description": 1}, "description must be a string"),
        (nested(6), "schema depth exceeds maximum limit of 5"),
        (
            {"type": "object", "properties": {f"p{n}": STRING for n in range(101)}},
            "more than 100 properties",
        ),
        ([], "schema must be a dict"),
    ],
    ids=str,
)
def test_what_is_refused(schema, message):
    with pytest.raises(SchemaError) as caught:
        check_schema(schema)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": ["string", "null"]},
        {"type": "object", "additionalProperties": {}},
        {"type": "string", "format": "uri", "examples": ["a"]},
        {"anyOf": [STRING, {"type": "null"}], "default": None, "title": "Maybe"},
        {"$defs": {"A": STRING}, "type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
        nested(5),
    ],
    ids=str,
)
def test_what_passes(schema):
    check_schema(schema)


def test_the_platforms_own_valid_cases_pass():
    files = sorted(CASES.glob("*/valid.jsonl"))
    if not files:
        pytest.skip("Moonshot's schema cases are not on this machine")
    for file in files:
        for line in filter(str.strip, file.read_text().splitlines()):
            check_schema(json.loads(line))
