"""What the caller wants back: a JSON schema to ask with and a validator to give back with."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jsonschema
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_pydantic_v1_subclass
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaError, to_json
from typing_extensions import is_typeddict

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.structured_output.typed_dicts import for_pydantic, is_read_by_core
from langchain_kimi.wire.tool_schemas import to_kimi_schema

__all__ = ["WRAPPER", "AnswerSchema", "SchemaMismatchError", "read_schema"]

WRAPPER = "value"
"""The one property that holds an answer that is no object: decoders and tools want objects."""


Growth = Literal["dict", "model", "items", "whole"]


class SchemaMismatchError(ValueError):
    """A value does not fit the schema; the text is written for the model to read."""


@dataclass(frozen=True, kw_only=True)
class AnswerSchema:
    """A schema for an answer."""

    name: str
    """Name of the schema or tool, `[A-Za-z0-9_]`, at most 64 characters."""
    description: str
    json_schema: dict[str, Any]
    """What is asked for: the schema of an object."""
    wrapped: bool
    """Whether that object holds the answer in its one property `WRAPPER`."""
    source: Any
    """What the caller passed."""
    growth: Growth
    """How a partial answer looks: a dict whose last string may still grow, a pydantic model with
    its complete fields, a list of complete items, or nothing before the end."""
    check: Callable[[Any], Any]

    def validate(self, value: Any) -> Any:
        """Return the answer in the type asked for.

        Args:
            value: Parsed JSON.

        Raises:
            SchemaMismatchError: It does not fit; the message says where and why.
        """
        if self.wrapped:
            # a model that skips the wrapper has answered all the same
            value = value[WRAPPER] if isinstance(value, dict) and set(value) == {WRAPPER} else value
        return self.check(value)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by what the caller passed: validators can do neither."""
        return read_schema, (self.source,)

    @property
    def is_known_to_core(self) -> bool:
        """Whether langchain-core can read the source for its traces.

        It takes a Literal for a function and stumbles over a list of types.
        """
        source = self.source
        if isinstance(source, Mapping):
            return isinstance(source.get("type", ""), str)
        is_model = isinstance(source, type) and issubclass(source, BaseModel)
        return is_model or (is_typeddict(source) and is_read_by_core(source))

    def tool(self) -> dict[str, Any]:
        """The schema as an OpenAI tool."""
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.description,
                "parameters": self.json_schema,
            },
        }


def read_schema(schema: Any) -> AnswerSchema:
    """Read a schema of any kind that LangChain users pass.

    Args:
        schema: A pydantic model, TypedDict, dataclass, Enum, `list[X]`, a Union or Optional, any
            other type that pydantic can validate; or a dict: JSON Schema, an OpenAI function or
            tool, or OpenAI's `{"name", "schema"}`.

    Raises:
        KimiInvalidInputError: It is none of these.
    """
    if isinstance(schema, Mapping):
        return _of_dict(schema, source=schema)
    if is_typeddict(schema):
        return _of_typed_dict(schema)
    if isinstance(schema, type) and is_pydantic_v1_subclass(schema):
        return _of_pydantic_v1(schema)
    if inspect.isroutine(schema) or isinstance(schema, partial):
        raise _no_schema(schema, "reading an answer would call it")  # as pydantic does
    try:
        return _of_type(schema, source=schema)
    except _UNREADABLE as error:
        raise _no_schema(schema, getattr(error, "message", str(error))) from error


_UNREADABLE = (
    PydanticUserError, PydanticUndefinedAnnotation, SchemaError, NameError, TypeError,
)  # fmt: skip
"""What pydantic raises for what is no type, for a name that is not defined, and for a base class
that says no; a metaclass may raise the latter two."""


def _of_typed_dict(schema: Any) -> AnswerSchema:
    try:
        return _of_type(for_pydantic(schema), source=schema)
    except _UNREADABLE as error:
        reason = getattr(error, "message", str(error))
    try:
        # one from `typing` inside of another: pydantic refuses it before Python 3.12, core does not
        return _of_dict(convert_to_json_schema(schema), source=schema)
    except (TypeError, ValueError, NameError) as error:
        raise _no_schema(schema, reason) from error


def _of_type(schema: Any, *, source: Any) -> AnswerSchema:
    """Read what pydantic can validate."""
    adapter: TypeAdapter[Any] = TypeAdapter(schema)
    json_schema = adapter.json_schema()

    def check(value: Any) -> Any:
        try:
            return adapter.validate_json(to_json(value))
        except ValidationError as error:
            raise SchemaMismatchError(_pydantic_reasons(error)) from error
        except PydanticSerializationError as error:  # half of a surrogate pair
            raise SchemaMismatchError(str(error)) from error

    name = getattr(schema, "__name__", None) or "answer"
    is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
    growth: Growth = "model" if is_model else "items" if _is_list(json_schema) else "whole"
    if is_typeddict(schema):
        growth = "dict"
    return _answer(json_schema, name=name, check=check, source=source, growth=growth)


def _no_schema(schema: Any, why: str) -> KimiInvalidInputError:
    msg = (
        f"schema={schema!r} cannot be used: {why}; use a pydantic model, TypedDict "
        "(from typing_extensions before Python 3.12), dataclass, Enum or a JSON schema"
    )
    return KimiInvalidInputError(msg)


def _of_pydantic_v1(schema: Any) -> AnswerSchema:
    def check(value: Any) -> Any:
        try:
            return schema.parse_obj(value)
        except ValueError as error:
            raise SchemaMismatchError(str(error)) from error

    return _answer(
        convert_to_json_schema(schema),
        name=schema.__name__,
        check=check,
        source=schema,
        growth="whole",
    )


def _of_dict(schema: Mapping[str, Any], *, source: Any) -> AnswerSchema:
    inner, about = _unpacked(schema)
    if "#" in str(inner.get("$id", "")).rstrip("#"):
        inner.pop("$id")  # Kimi takes a fragment there, JSON Schema does not
    try:
        jsonschema.Draft202012Validator.check_schema(inner)
    except jsonschema.SchemaError as error:
        msg = f"the JSON schema is not valid: {error.message} (at {error.json_path})"
        raise KimiInvalidInputError(msg) from error
    _check_references(inner)
    validator = jsonschema.Draft202012Validator(inner)

    def check(value: Any) -> Any:
        try:
            reasons = [
                f"{error.json_path}: {error.message}"
                for error in sorted(validator.iter_errors(value), key=lambda error: error.json_path)
            ]
        except RecursionError as error:
            msg = "it is nested too deeply, or a reference in the schema leads back to itself"
            raise SchemaMismatchError(msg) from error
        if reasons:
            raise SchemaMismatchError("; ".join(reasons[:_MOST_REASONS]))
        return value

    name = str(about.get("name") or inner.get("title") or "answer")
    description = str(about.get("description") or inner.get("description") or "")
    growth: Growth = "items" if _is_list(inner) else "dict" if _is_object(inner) else "whole"
    return _answer(
        inner, name=name, check=check, source=source, growth=growth, description=description
    )


def _check_references(schema: dict[str, Any]) -> None:
    """Refuse references that cannot be followed, before a validator would ask the network."""
    to_kimi_schema(schema)
    if '"$dynamicRef":' in json.dumps(schema, default=str):
        msg = "the JSON schema has a $dynamicRef, which Kimi does not take; use $ref and $defs"
        raise KimiInvalidInputError(msg)


def _unpacked(schema: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Find the JSON schema inside OpenAI's and Anthropic's wrappings."""
    about = schema
    for key in ("function", "json_schema"):
        if schema.get("type") in ("function", "json_schema") and isinstance(schema.get(key), dict):
            about = schema[key]
    for key in ("parameters", "schema", "input_schema"):
        if isinstance(about.get(key), dict) and isinstance(about.get("name"), str):
            return dict(about[key]), about
    return dict(schema), schema


def _answer(
    json_schema: dict[str, Any],
    *,
    name: str,
    check: Callable[[Any], Any],
    source: Any,
    growth: Growth,
    description: str = "",
) -> AnswerSchema:
    wrapped = not _is_object(json_schema)
    json_schema = dict(json_schema)
    title = re.sub(r"[^A-Za-z0-9_]", "_", name)[:64]
    text = description or json_schema.get("description") or f"The answer as {title}."
    if wrapped:
        root: dict[str, Any] = {
            key: json_schema.pop(key) for key in ("$defs", "definitions") if key in json_schema
        }
        root |= {
            "type": "object",
            "title": title,
            "properties": {WRAPPER: json_schema},
            "required": [WRAPPER],
        }
        json_schema = _moved(root)
    return AnswerSchema(
        name=title,
        description=text,
        json_schema=json_schema,
        wrapped=wrapped,
        source=source,
        growth="whole" if wrapped and growth == "model" else growth,
        check=check,
    )


def _moved(schema: Any) -> Any:
    """Point the references of a wrapped schema to where its parts have moved."""
    if isinstance(schema, list):
        return [_moved(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    moved = {key: _moved(value) for key, value in schema.items()}
    target = moved.get("$ref")
    if isinstance(target, str) and _MOVES.match(target):
        moved["$ref"] = f"#/properties/{WRAPPER}{target[1:]}"
    return moved


_MOVES = re.compile(r"#(?!/(?:\$defs|definitions)/)(?=/|$)")
"""References into the schema itself, its definitions apart: those stay at the root."""


def _is_object(schema: Mapping[str, Any]) -> bool:
    root = schema
    for _ in range(8):
        reference = root.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
            break
        root = schema.get("$defs", {}).get(reference.removeprefix("#/$defs/"), {})
    return root.get("type") == "object" or ("type" not in root and "properties" in root)


def _is_list(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "array"


_MOST_REASONS = 10


def _pydantic_reasons(error: ValidationError) -> str:
    reasons = [
        f"{'.'.join(map(str, item['loc'])) or 'the answer'}: {item['msg']}"
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more" if more > 0 else "")
