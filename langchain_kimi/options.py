"""Checks and readings of what callers pass to `ChatKimi`."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.transport import Timeout
from langchain_kimi.wire.tool_schemas import to_kimi_tools

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "MOST_TOKENS",
    "StructuredMethod",
    "as_timeout",
    "fields",
    "number",
    "positive",
    "refuse_unknown",
    "stops",
    "switch",
    "whole",
    "wire_tools",
    "words",
]

StructuredMethod = Literal["json_schema", "function_calling", "json_mode"]
"""The methods of `with_structured_output`."""

MOST_TOKENS = 2**31 - 2
"""The largest budget that servers read."""

MOST_SEED = 2**63 - 1
"""The largest seed that servers read."""

_Default = TypeVar("_Default", bool, None)
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


def words(options: Mapping[str, Any], name: str, default: str) -> str:
    """Read a text of a call, `model`; None or nothing leaves it to the model's field.

    Raises:
        KimiInvalidInputError: It is no text, or empty.
    """
    value = options.get(name)
    if value is None:
        return default
    if not isinstance(value, str) or not value.strip():
        msg = f"{name}={value!r}: pass a text, such as {default!r}"
        raise KimiInvalidInputError(msg)
    return value


def stops(stop: Any) -> list[str] | None:
    """Read stop sequences: a text or several.

    Raises:
        KimiInvalidInputError: They are something else.
    """
    if stop is None:
        return None
    found = [stop] if isinstance(stop, str) else stop
    if not isinstance(found, list | tuple) or not all(
        one and isinstance(one, str) for one in found
    ):
        msg = f"stop={stop!r}: pass a text, or a list of texts, none of them empty"
        raise KimiInvalidInputError(msg)
    return list(found)


def switch(options: Mapping[str, Any], name: str, default: _Default) -> bool | _Default:
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
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        msg = f"{name}={value!r}: pass a whole number of tokens from 1 to {MOST_TOKENS:,}"
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
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_SEED:
        msg = f"{name}={value!r}: pass a whole number from 0 to {MOST_SEED:,}"
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


def wire_tools(tools: Any) -> Sequence[dict[str, Any]]:
    """Take tools as `bind_tools` left them; convert those that were passed past it.

    Raises:
        KimiInvalidInputError: They are no list, one is no tool, or two share a name.
    """
    if tools is None:
        return ()
    wired = to_kimi_tools(tools)
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
