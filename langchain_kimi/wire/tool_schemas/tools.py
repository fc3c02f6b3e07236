"""Tools in the shape that Kimi's endpoints take."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.wire.tool_schemas.schema import to_kimi_schema

__all__ = ["WiredTool", "to_kimi_tool", "to_kimi_tools"]


class WiredTool(dict[str, Any]):
    """A tool as the request carries it; what is one needs no translation any more."""


def to_kimi_tools(tools: Any) -> list[WiredTool]:
    """Return tools as the request carries them.

    Args:
        tools: Several of what `to_kimi_tool` takes.

    Raises:
        KimiInvalidInputError: They are no list or other collection, or one is no function tool.
    """
    if isinstance(tools, str | bytes | Mapping) or not isinstance(tools, Iterable):
        msg = f"tools={tools!r:.200}: pass a list of tools"
        raise KimiInvalidInputError(msg)
    return [
        tool if isinstance(tool, WiredTool) else WiredTool(to_kimi_tool(tool)) for tool in tools
    ]


def to_kimi_tool(
    tool: Mapping[str, Any] | type | Callable[..., Any] | BaseTool, *, keep_strict: bool = False
) -> dict[str, Any]:
    """Return a tool as the request carries it.

    Args:
        tool: What `bind_tools` takes: a tool, a function, a pydantic model, a TypedDict, or a
            mapping in OpenAI's, Anthropic's or JSON Schema's shape. A name that begins with `$`
            is one of Moonshot's built-in functions, which are sent by name alone.
        keep_strict: Whether `strict` is sent where the mapping has it.

    Raises:
        KimiInvalidInputError: It is no function tool.
    """
    builtin = _builtin_name(tool)
    if builtin is not None:
        return {"type": "builtin_function", "function": {"name": builtin}}
    try:
        converted = convert_to_openai_tool(dict(tool) if isinstance(tool, Mapping) else tool)
    except (TypeError, ValueError) as error:
        msg = f"{_shown(tool)} cannot be made a tool: {error}"
        raise KimiInvalidInputError(msg) from error
    if converted.get("type") != "function":
        msg = (
            f"{_shown(tool)} is a tool of type {converted.get('type')!r}; Kimi takes functions, "
            "and Moonshot's built-in ones, whose names begin with '$'"
        )
        raise KimiInvalidInputError(msg)
    function = _named(converted.get("function"))
    parameters = _own_parameters(tool) or function.get("parameters") or {}
    sent = _root_object(to_kimi_schema(parameters))
    if sent.get("description") == function.get("description"):
        sent.pop("description", None)
    function["parameters"] = sent
    if not keep_strict:
        function.pop("strict", None)
    return {"type": "function", "function": function}


def _named(function: Any) -> dict[str, Any]:
    """Return a copy of a tool's function, which must have a name."""
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not name.strip():
        msg = f"a tool's function is {function!r:.200}: it needs a name, a text that is not empty"
        raise KimiInvalidInputError(msg)
    return dict(function)


def _builtin_name(tool: Any) -> str | None:
    if not isinstance(tool, Mapping):
        name = getattr(tool, "name", None)
    else:
        inner = tool.get("function")
        name = inner.get("name") if isinstance(inner, Mapping) else tool.get("name")
    return name if isinstance(name, str) and name.startswith("$") else None


def _own_parameters(tool: Any) -> dict[str, Any] | None:
    """Return the arguments' schema with its recursion, which langchain's conversion cuts off."""
    if isinstance(tool, type):
        model: Any = tool
    elif isinstance(tool, BaseTool):
        from langchain_core.tools import Tool  # noqa: PLC0415  slow to import, as the next

        simple = isinstance(tool, Tool) and not tool.args_schema
        model = None if simple else tool.tool_call_schema
    elif inspect.isroutine(tool):
        from langchain_core.tools import StructuredTool  # noqa: PLC0415

        made = StructuredTool.from_function(
            tool, description="-", parse_docstring=True, error_on_invalid_docstring=False
        )
        model = made.tool_call_schema
    else:
        return None
    if isinstance(model, dict):
        schema = model
    elif isinstance(model, type) and issubclass(model, BaseModel):
        schema = model.model_json_schema()
    else:
        return None
    if "$ref" not in repr(schema):
        return None
    untitled: dict[str, Any] = _untitled(schema)
    return untitled


def _untitled(schema: Any, *, names: bool = False) -> Any:
    """Drop the titles that pydantic makes from names; they cost tokens and say nothing."""
    if isinstance(schema, list):
        return [_untitled(sub) for sub in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _untitled(value, names=not names and key in ("properties", "$defs"))
        for key, value in schema.items()
        if names or key != "title" or not isinstance(value, str)
    }


def _root_object(schema: dict[str, Any]) -> dict[str, Any]:
    """Say that the arguments are an object, as calls carry one always."""
    if not schema:
        return {"type": "object", "properties": {}}
    if schema.get("type") == "object" and "properties" not in schema:
        return {"type": "object", "properties": {}, **schema}
    return schema


def _shown(tool: Any) -> str:
    if isinstance(tool, Mapping):
        return f"the mapping with the keys {sorted(map(str, tool))}"
    return repr(getattr(tool, "__name__", None) or getattr(tool, "name", None) or type(tool))
