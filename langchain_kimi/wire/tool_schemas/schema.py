"""The public functions on schemas."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas.keywords import Schema
from langchain_kimi.wire.tool_schemas.translation import SchemaDifference, Translator

__all__ = ["schema_differences", "to_kimi_schema"]


def to_kimi_schema(schema: Schema) -> Schema:
    """Translate a JSON Schema to the dialect that Kimi takes.

    References are inlined (recursive ones stay, into the root's `$defs`), every subschema states
    its type, `allOf` is merged, `oneOf` becomes `anyOf`, `const` becomes `enum`, and keywords that
    the dialect lacks become sentences in the description. `schema_differences` lists where the
    result accepts other values than the original.

    Args:
        schema: Draft 2020-12, or older ones as far as they agree; left untouched.

    Raises:
        KimiInvalidInputError: It is no JSON Schema, refers outside itself, or is nested deeper
            than 64 levels.
    """
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError):
        return _translated(schema)[0]  # no JSON: the translator says what is wrong
    translated: Schema = json.loads(_translated_text(text))
    return translated


@lru_cache(maxsize=1024)
def _translated_text(text: str) -> str:
    """Translate a schema in JSON; agents bind the same tools at every step."""
    return json.dumps(_translated(json.loads(text))[0])


def schema_differences(schema: Schema) -> list[SchemaDifference]:
    """List where `to_kimi_schema` accepts other values than the original.

    Empty: every value is valid for both or for neither. "wider": a constraint went into a
    description. "narrower": keywords without a `type` were read as meaning one.

    Args:
        schema: As for `to_kimi_schema`.
    """
    return _translated(schema)[1]


def _translated(schema: Schema) -> tuple[Schema, list[SchemaDifference]]:
    try:
        translator = Translator(schema)
        return translator.translate(), translator.differences
    except KimiInvalidInputError:
        raise
    except RecursionError as error:
        msg = "the schema is nested too deeply; make it flatter"
        raise KimiInvalidInputError(msg) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise KimiInvalidInputError(_fault(schema, error)) from error


def _fault(schema: Any, error: Exception) -> str:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  slow to import, rarely needed
    from jsonschema.exceptions import SchemaError  # noqa: PLC0415

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as fault:
        place = "/".join(map(str, fault.absolute_path)) or "its root"
        return f"this is no JSON Schema: {fault.message:.300} (at {place})"
    return f"the schema cannot be read: {type(error).__name__}: {error}"
