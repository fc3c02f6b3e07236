"""Moonshot's flavour of JSON Schema: what its platform takes for tools and formats.

After MoonshotAI/walle's documentation: every subschema has a type, references stay inside
the document, `oneOf` and its kin are refused, and sizes are limited. Annotations that are
only undocumented there (``format``, ``examples``, ``default`` beside ``anyOf``, …) pass, as
they do for Moonshot's own clients, which do not strip them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TYPES = frozenset({"null", "boolean", "object", "array", "number", "integer", "string"})
UNSUPPORTED = frozenset(
    [
        "oneOf",
        "allOf",
        "not",
        "if",
        "then",
        "else",
        "patternProperties",
        "prefixItems",
        "contains",
        "minContains",
        "maxContains",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "propertyNames",
        "dependentSchemas",
        "dependentRequired",
        "unevaluatedItems",
        "unevaluatedProperties",
        "$schema",
        "$anchor",
        "$dynamicRef",
        "$dynamicAnchor",
        "$vocabulary",
    ]
)
RESERVED_NAMES = frozenset({"$defs", "$ref", "anyOf", "required", "additionalProperties"})
BESIDE_A_BRANCH = frozenset({"description", "title", "default"})
ONLY_AT_ROOT = frozenset({"$defs", "$id"})
ROOT = ""
MAX_BRANCHES = 10
MAX_PROPERTIES = 100
MAX_LEVELS = 5
MAX_ENUM_VALUES = 500
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
}

Schema = Mapping[str, Any]


class SchemaError(ValueError):
    """A schema is not MFJS; the text is in the platform's form."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"At path '{path}': {message}")


def check_schema(schema: Any) -> None:
    """Check a whole schema.

    Raises:
        SchemaError: For the first fault found.
    """
    if not isinstance(schema, Mapping):
        raise SchemaError(ROOT, "schema must be a dict")
    if schema:
        _Check(schema).subschema(schema, ROOT, 1)


class _Check:
    """One pass over a schema, counting what is limited."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._properties = 0
        self._enum_values = 0

    def subschema(self, schema: Any, path: str, level: int) -> None:
        if not isinstance(schema, Mapping):
            raise SchemaError(path, "schema must be an object")
        if level > MAX_LEVELS:
            raise SchemaError(path, f"schema depth exceeds maximum limit of {MAX_LEVELS}")
        self._keywords(schema, path)
        definitions = schema.get("$defs", {})
        if not isinstance(definitions, Mapping):
            raise SchemaError(path, "$defs must be an object")
        for name, definition in definitions.items():
            if "/" in name:
                raise SchemaError(path, f"$defs name '{name}' must not contain '/' character")
            self.subschema(definition, _join(path, "$defs", name), level + 1)
        if "$ref" in schema:
            self._reference(schema, path)
        elif "anyOf" in schema:
            self._branches(schema, path, level)
        else:
            self._typed(schema, path, level)

    def _keywords(self, schema: Schema, path: str) -> None:
        unsupported = sorted(UNSUPPORTED & schema.keys())
        if unsupported:
            raise SchemaError(path, f"unsupported keywords: {', '.join(unsupported)}")
        if path:
            for keyword in sorted(ONLY_AT_ROOT & schema.keys()):
                raise SchemaError(path, f"{keyword} must be at root level")
        for keyword in ("description", "title", "$id"):
            if not isinstance(schema.get(keyword, ""), str):
                raise SchemaError(path, f"{keyword} must be a string")

    def _reference(self, schema: Schema, path: str) -> None:
        reference = schema["$ref"]
        if not isinstance(reference, str):
            raise SchemaError(path, "$ref must be a string")
        if "type" in schema:
            message = (
                "when using $ref, type should be defined in the referenced schema instead of "
                "the parent schema"
            )
            raise SchemaError(path, message)
        self._alone(schema, "$ref", path)
        resolve(self._root, reference, path)

    def _branches(self, schema: Schema, path: str, level: int) -> None:
        branches = schema["anyOf"]
        if not isinstance(branches, list) or not 1 <= len(branches) <= MAX_BRANCHES:
            raise SchemaError(path, f"anyOf must be an array of 1 to {MAX_BRANCHES} items")
        if "type" in schema:
            message = (
                "when using anyOf, type should be defined in anyOf items instead of the parent "
                "schema"
            )
            raise SchemaError(path, message)
        self._alone(schema, "anyOf", path)
        for branch in branches:
            self.subschema(branch, _join(path, "anyOf"), level)

    def _alone(self, schema: Schema, keyword: str, path: str) -> None:
        allowed = BESIDE_A_BRANCH | {keyword} | (ONLY_AT_ROOT if not path else frozenset())
        for other in sorted(schema.keys() - allowed):
            raise SchemaError(path, f"{other} is not allowed at the same level as {keyword}")

    def _typed(self, schema: Schema, path: str, level: int) -> None:
        types = _types(schema, path)
        self._enum(schema, types, path)
        self._ranges(schema, path)
        if "properties" in schema or "required" in schema:
            self._object(schema, path, level)
        extra = schema.get("additionalProperties", True)
        if not isinstance(extra, bool) and extra != {}:
            self.subschema(extra, _join(path, "additionalProperties"), level + 1)
        if "items" in schema:
            if not isinstance(schema["items"], Mapping):
                raise SchemaError(path, "items must be an object")
            self.subschema(schema["items"], _join(path, "items"), level + 1)

    def _object(self, schema: Schema, path: str, level: int) -> None:
        properties = schema.get("properties", {})
        if not isinstance(properties, Mapping):
            raise SchemaError(path, "properties must be an object")
        self._properties += len(properties)
        if self._properties > MAX_PROPERTIES:
            raise SchemaError(path, f"schema has more than {MAX_PROPERTIES} properties")
        required = schema.get("required", [])
        if not isinstance(required, list):
            raise SchemaError(path, "required must be an array")
        for name in required:
            if not isinstance(name, str) or name not in properties:
                raise SchemaError(path, f"required property '{name}' is not in properties")
        for name, subschema in properties.items():
            here = _join(path, "properties", name)
            if name in RESERVED_NAMES:
                raise SchemaError(here, f"property name '{name}' is reserved for JSON Schema")
            self.subschema(subschema, here, level + 1)

    def _enum(self, schema: Schema, types: list[str], path: str) -> None:
        if "enum" not in schema:
            return
        values = schema["enum"]
        if not isinstance(values, list):
            raise SchemaError(path, "enum must be an array")
        if not values:
            raise SchemaError(path, "enum array cannot be empty")
        self._enum_values += len(values)
        if self._enum_values > MAX_ENUM_VALUES:
            raise SchemaError(path, f"enum array cannot have more than {MAX_ENUM_VALUES} items")
        for value in values:
            if not any(_is_of_type(value, name) for name in types):
                raise SchemaError(path, f"enum value {value!r} does not match any type in {types}")

    def _ranges(self, schema: Schema, path: str) -> None:
        for low, high in (("minimum", "maximum"), ("minLength", "maxLength")):
            for keyword in (low, high):
                if not isinstance(schema.get(keyword, 0), int | float):
                    raise SchemaError(path, f"{keyword} must be a number")
            if low in schema and high in schema and schema[low] > schema[high]:
                raise SchemaError(path, f"{low} must not be greater than {high}")


def resolve(root: Schema, reference: str, path: str = "") -> Schema:
    """Follow a reference inside the document.

    Raises:
        SchemaError: When it leads outside or nowhere.
    """
    if reference == "#":
        return root
    if not reference.startswith("#/$defs/"):
        raise SchemaError(path, f"references must start with #/$defs/, got {reference}")
    found: Any = root
    for step in reference.removeprefix("#/").split("/"):
        if not isinstance(found, Mapping) or step not in found:
            raise SchemaError(path, f"$defs not found for reference {reference}")
        found = found[step]
    if not isinstance(found, Mapping):
        raise SchemaError(path, f"invalid $ref path {reference}")
    return found


def _types(schema: Schema, path: str) -> list[str]:
    if "type" not in schema:
        raise SchemaError(path, "type is not defined")
    declared = schema["type"]
    types = declared if isinstance(declared, list) else [declared]
    if not types:
        raise SchemaError(path, "type array cannot be empty")
    for name in types:
        if not isinstance(name, str):
            raise SchemaError(path, "type must be string or array of strings")
        if name not in TYPES:
            raise SchemaError(path, f"invalid type {name}")
    return types


def _is_of_type(value: Any, name: str) -> bool:
    if isinstance(value, bool) and name != "boolean":
        return False
    return isinstance(value, PYTHON_TYPES.get(name, ()))


def _join(*steps: str) -> str:
    return ".".join(step for step in steps if step)
