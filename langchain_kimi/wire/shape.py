"""The shape that replies and stream events must have; gateways and broken servers send others."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from langchain_kimi.wire.text import clean

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MalformedReplyError",
    "calls_of",
    "content_of",
    "first_choice",
    "function_of",
    "kind_of",
    "message_of",
    "word",
]

logger = logging.getLogger(__name__)


class MalformedReplyError(ValueError):
    """Something in a reply is not what any server means to send."""

    def __init__(self, *, place: str, value: Any, needed: str) -> None:
        super().__init__(f"{place} is a JSON {kind_of(value)}; {needed} is needed")


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value."""
    if value is None:
        return "null"
    for types, name in ((bool, "boolean"), (int | float, "number"), (str, "string")):
        if isinstance(value, types):
            return name
    return "array" if isinstance(value, list) else "object"


def first_choice(event: Mapping[str, Any], index: Any = None) -> dict[str, Any] | None:
    """Return the first choice of a reply or an event, None where there is none.

    Args:
        event: The reply or the event.
        index: The index of the choice that is read; None takes any.
    """
    choices = event.get("choices")
    if choices is None:
        return None
    if not isinstance(choices, list):
        raise MalformedReplyError(place="choices", value=choices, needed="an array")
    for place, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise MalformedReplyError(place=f"choices[{place}]", value=choice, needed="an object")
        if index is None or choice.get("index") in (None, index):
            return choice
    return None


def message_of(choice: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return what a choice says, and whether it is a whole message rather than a delta."""
    for key in ("delta", "message"):
        said = choice.get(key)
        if said is not None and not isinstance(said, dict):
            raise MalformedReplyError(place=f"choices[0].{key}", value=said, needed="an object")
        if said:
            return said, key == "message"
    return {}, False


def content_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message or a delta, whose content may be a list of parts."""
    content = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise MalformedReplyError(
            place="content", value=content, needed="a string or an array of parts"
        )
    return "".join(map(_text_of, content))


def _text_of(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    logger.debug("left out a part of the content that is no text")
    return ""


def calls_of(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls, or their fragments, of a message or a delta."""
    calls = message.get("tool_calls")
    if calls is None:
        return []
    if not isinstance(calls, list):
        raise MalformedReplyError(place="tool_calls", value=calls, needed="an array")
    for position, call in enumerate(calls):
        if not isinstance(call, dict):
            raise MalformedReplyError(
                place=f"tool_calls[{position}]", value=call, needed="an object"
            )
    return calls


def function_of(call: Mapping[str, Any]) -> tuple[str | None, Any]:
    """Return the name and the arguments of a call or a fragment, None where it has none."""
    function = call.get("function")
    if function is None:
        return None, None
    if not isinstance(function, dict):
        raise MalformedReplyError(
            place="a tool call's function", value=function, needed="an object"
        )
    name = function.get("name")
    if name is not None and not isinstance(name, str):
        raise MalformedReplyError(place="a tool call's name", value=name, needed="a string")
    return clean(name) if name else None, function.get("arguments")


def word(holder: Mapping[str, Any], key: str) -> str | None:
    """Return a string that a reply can do without; anything else in its place is left out."""
    value = holder.get(key)
    if isinstance(value, str):
        return clean(value) or None
    if value is not None:
        logger.debug("left out %s: it is a JSON %s instead of a string", key, kind_of(value))
    return None
