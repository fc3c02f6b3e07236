"""Checks and readings of what callers pass to `ChatKimi`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.transport import Timeout
from langchain_kimi.transport.server import names_a_secret
from langchain_kimi.wire.tool_schemas import to_kimi_tool

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "StructuredMethod",
    "as_timeout",
    "fields",
    "number",
    "open_headers",
    "positive",
    "refuse_unknown",
    "switch",
    "whole",
    "wire_tools",
]

StructuredMethod = Literal["json_schema", "function_calling", "json_mode"]
"""The methods of `with_structured_output`."""

_RANGES = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0)}


def refuse_unknown(kwargs: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse arguments that are none.

    Raises:
        KimiInvalidInputError: It names the nearest known argument.
    """
    for key in kwargs:
        if key in known:
            continue
        nearest = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {sorted(known)}."
        msg = (
            f"unknown argument {key!r}: {hint} Fields that only your server knows go into "
            "extra_body={...}"
        )
        raise KimiInvalidInputError(msg)


def switch(options: Mapping[str, Any], name: str, default: bool) -> bool:
    """Read a switch of a call; None or nothing leaves it to the model's field.

    Raises:
        KimiInvalidInputError: It is neither True nor False: `{"type": "disabled"}` would be true.
    """
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        msg = f"{name}={value!r} is no switch: pass True or False"
        raise KimiInvalidInputError(msg)
    return value


def positive(options: Mapping[str, Any], name: str) -> int | None:
    """Read a count of a call, None where it is left to the model's field.

    Raises:
        KimiInvalidInputError: It is no whole number above 0.
    """
    value = options.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        msg = f"{name}={value!r}: pass a whole number of tokens, at least 1"
        raise KimiInvalidInputError(msg)
    return value


def number(options: Mapping[str, Any], name: str, default: float | None) -> float | None:
    """Read `temperature` or `top_p` of a call; None or nothing leaves it to the model's field.

    Raises:
        KimiInvalidInputError: It is no number, or out of range.
    """
    value = options.get(name)
    if value is None:
        return default
    low, high = _RANGES[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{name}={value!r}: pass a number from {low:g} to {high:g}"
        raise KimiInvalidInputError(msg)
    return value


def whole(options: Mapping[str, Any], name: str, default: int | None) -> int | None:
    """Read a whole number of a call, `seed`; None or nothing leaves it to the model's field.

    Raises:
        KimiInvalidInputError: It is no whole number, or negative.
    """
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        msg = f"{name}={value!r}: pass a whole number, at least 0"
        raise KimiInvalidInputError(msg)
    return value


def fields(options: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read fields of the request's JSON given with a call, none where there are none.

    Raises:
        KimiInvalidInputError: They are no dict.
    """
    value = options.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        msg = f"{name}={value!r}: pass a dict of the fields that the server is to get"
        raise KimiInvalidInputError(msg)
    return value


def wire_tools(tools: Sequence[Any]) -> list[dict[str, Any]]:
    """Take tools as `bind_tools` left them; convert those that were passed past it.

    Raises:
        KimiInvalidInputError: Two tools share a name.
    """
    wired = [
        tool if isinstance(tool, dict) and "function" in tool else to_kimi_tool(tool)
        for tool in tools
    ]
    names = [tool["function"]["name"] for tool in wired]
    if len(set(names)) < len(names):
        twin = next(name for name in names if names.count(name) > 1)
        msg = f"two tools are named {twin!r}; the model tells tools apart by name: rename one"
        raise KimiInvalidInputError(msg)
    return wired


def as_timeout(timeout: float | Timeout | None) -> Timeout:
    """Read the field `timeout`: a number bounds each phase."""
    if timeout is None:
        return Timeout()
    if isinstance(timeout, Timeout):
        return timeout
    return Timeout(connect=timeout, response=timeout, idle=timeout)


def open_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Leave out the headers whose names say that they hold a secret."""
    return {name: value for name, value in headers.items() if not names_a_secret(name)}
