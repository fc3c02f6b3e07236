"""How a schema for the answer reaches the model: through the decoder, the prompt, or both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas import to_kimi_schema

if TYPE_CHECKING:
    from langchain_kimi.endpoints import Endpoint

__all__ = ["ResponseFormat", "read_response_format"]


@dataclass(kw_only=True, slots=True)
class ResponseFormat:
    """The decision for one request."""

    field: dict[str, Any] | None = None
    """`response_format` as it goes over the wire, None to leave it out."""
    instruction: str | None = None
    """What the system message says of it."""
    wants_json: bool = False
    """Whether the answer is JSON, so that fences and words around it are dropped."""


def read_response_format(
    asked: Mapping[str, Any] | None, *, endpoint: Endpoint, has_tools: bool
) -> ResponseFormat:
    """Translate OpenAI's `response_format`.

    Where tools are declared too, the schema goes by the prompt unless the endpoint is known to
    let the model choose: a grammar that binds all that follows the thoughts forbids a tool call.

    Args:
        asked: `{"type": "json_schema" | "json_object" | "text", …}` or None. A `json_object` may
            carry a `schema`, which then goes into the prompt.
        endpoint: The server's row.
        has_tools: Whether the request declares tools.

    Raises:
        KimiInvalidInputError: It is no mapping, its type none of these, or a schema is missing.
    """
    if asked is not None and not isinstance(asked, Mapping):
        msg = f"response_format={asked!r}: pass a dict such as {{'type': 'json_object'}}"
        raise KimiInvalidInputError(msg)
    if asked is None or asked.get("type") == "text":
        return ResponseFormat()
    kind = asked.get("type")
    decoder = endpoint.structured_output == "response_format" and not (
        has_tools and endpoint.grammar_forbids_tools
    )
    if kind == "json_object":
        return ResponseFormat(
            field={"type": "json_object"} if decoder else None,
            instruction=_instruction(asked.get("schema")),
            wants_json=True,
        )
    spec = asked.get("json_schema")
    if kind != "json_schema" or not isinstance(spec, dict) or "schema" not in spec:
        msg = (
            f"response_format of type {kind!r} cannot be sent; use 'json_object', or "
            "'json_schema' with {'json_schema': {'name': …, 'schema': …}}"
        )
        raise KimiInvalidInputError(msg)
    schema = to_kimi_schema(spec["schema"])
    name, strict = spec.get("name") or "answer", spec.get("strict", True)
    if not isinstance(name, str) or not isinstance(strict, bool):
        msg = f"json_schema has name={name!r} and strict={strict!r}; pass a text, and True or False"
        raise KimiInvalidInputError(msg)
    wired = {"name": name, "schema": schema, "strict": strict}
    return ResponseFormat(
        field={"type": "json_schema", "json_schema": wired} if decoder else None,
        # Moonshot puts the schema into the prompt itself
        instruction=None if decoder and endpoint.states_schema else _instruction(schema),
        wants_json=True,
    )


def _instruction(schema: Any) -> str:
    if schema is None:
        return "Write your final answer as one JSON value and nothing else."
    if not isinstance(schema, Mapping):
        msg = f"the schema of response_format is {schema!r:.200}; pass a dict, a JSON schema"
        raise KimiInvalidInputError(msg)
    try:
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"the schema of response_format cannot be written as JSON: {error}"
        raise KimiInvalidInputError(msg) from error
    return (
        "Write your final answer as one JSON value that fits this JSON schema and nothing else, "
        f"no code fence and no words around it:\n{text}"
    )
