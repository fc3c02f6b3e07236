"""What every server needs to read a request at all: the types of its fields.

Servers parse a body into typed objects before they look at what it asks for, so a value of a wrong
type is the client's mistake (400), whatever it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_kimi.testing.refusal import Refusal

_WORDS = {str: "a string", list: "a list", Mapping: "an object"}
_SHOWN_CHARACTERS = 80


def check_shape(body: Mapping[str, Any]) -> None:
    """Check the types of messages, tools, the tool choice and stops.

    Raises:
        Refusal: When messages are missing or empty, or a value is of a wrong type.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise Refusal(400, "messages: Field required, a list of messages", param="messages")
    if not messages:
        raise Refusal(400, "messages must not be empty", param="messages")
    for place, message in _numbered(messages, "messages"):
        _check_message(message, place)
    _require(body.get("tools"), list, "tools")
    for place, tool in _numbered(body.get("tools"), "tools"):
        _check_tool(tool, place)
    if isinstance(choice := body.get("tool_choice"), Mapping):
        _require(choice.get("function"), Mapping, "tool_choice.function")
    if not isinstance(stop := body.get("stop"), str):
        _require(stop, list, "stop")
        for place, text in _numbered(stop, "stop"):
            _require(text, str, place, needed=True)


def _check_message(message: Any, place: str) -> None:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        raise Refusal(400, f"{place} must be an object with a role")
    _check_content(message.get("content"), place)
    _require(message.get("tool_call_id"), str, f"{place}.tool_call_id")
    _require(message.get("tool_calls"), list, f"{place}.tool_calls")
    for at, call in _numbered(message.get("tool_calls"), f"{place}.tool_calls"):
        _require(call, Mapping, at, needed=True)
        _require(call.get("id"), str, f"{at}.id")
        _require(call.get("function"), Mapping, f"{at}.function")
        for field in ("name", "arguments"):
            _require((call.get("function") or {}).get(field), str, f"{at}.function.{field}")


def _check_content(content: Any, place: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise Refusal(400, f"{place}.content must be a string or a list of parts")
    for part in content:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            raise Refusal(400, f"{place}.content has a part without a type")


def _check_tool(tool: Any, place: str) -> None:
    _require(tool, Mapping, place, needed=True)
    function = tool.get("function")
    _require(function, Mapping, f"{place}.function")
    for field, kind in (("name", str), ("description", str), ("parameters", Mapping)):
        _require((function or {}).get(field), kind, f"{place}.function.{field}")


def _require(value: Any, kind: Any, place: str, *, needed: bool = False) -> None:
    """Check the type of a value; null stands for a field that was left out."""
    if isinstance(value, kind) or (value is None and not needed):
        return
    message = f"{place}: must be {_WORDS[kind]}, got {value!r:.{_SHOWN_CHARACTERS}}"
    raise Refusal(400, message, param=place)


def _numbered(values: list[Any] | None, place: str) -> Iterator[tuple[str, Any]]:
    return ((f"{place}[{number}]", value) for number, value in enumerate(values or ()))
