"""From a message to the answer in its type, or to the reason why there is none."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import json_repair

from langchain_kimi.errors import KimiStructuredOutputError, KimiTruncatedOutputError
from langchain_kimi.structured_output.schema import SchemaMismatchError
from langchain_kimi.wire.reply import REASONS_KEY

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage

    from langchain_kimi.structured_output.schema import AnswerSchema

__all__ = ["parse_message"]


def parse_message(message: AIMessage, schema: AnswerSchema, *, as_tool: bool) -> Any:
    """Read the answer out of a message.

    Args:
        message: The model's whole reply.
        schema: What it must fit.
        as_tool: Whether the answer was asked for as a call of the schema's tool.

    Raises:
        KimiTruncatedOutputError: The reply was cut before the answer was complete.
        KimiStructuredOutputError: It holds no JSON, or none that fits.
    """
    found = _find(message, schema, as_tool=as_tool)
    finish = message.response_metadata.get("finish_reason")
    if finish in {"length", None} and not found.complete:
        msg = (
            "the answer was cut by the token budget before its JSON was complete; raise "
            "max_completion_tokens (thinking spends the same budget)"
            if finish
            else "the reply ended before its JSON was complete; try again"
        )
        raise KimiTruncatedOutputError(msg, partial=message)
    value = found.value if found.complete else _mended(found)
    if not isinstance(value, dict | list) and (value is _NOTHING or not schema.wrapped):
        msg = f"an answer that fits {schema.name} was asked for, and the reply "
        raise KimiStructuredOutputError(msg + _instead(message, schema, found), partial=message)
    try:
        return schema.validate(value)
    except SchemaMismatchError as error:
        msg = f"the answer does not fit {schema.name}: {error}"
        raise KimiStructuredOutputError(msg, partial=message) from error


_NOTHING = object()


@dataclass(frozen=True, kw_only=True)
class _Found:
    """The JSON text of a reply."""

    text: str
    value: Any = _NOTHING
    """What it means, where it is JSON as it stands."""
    half: bool = False
    """Whether it ends inside of a string: what stands there may be half of a value."""

    @property
    def complete(self) -> bool:
        return self.value is not _NOTHING


def _find(message: AIMessage, schema: AnswerSchema, *, as_tool: bool) -> _Found:
    text = str(message.text)
    if as_tool:
        for call in message.tool_calls:
            if call["name"] == schema.name:
                return _Found(text="", value=call["args"])
        reasons = message.response_metadata.get(REASONS_KEY) or {}
        for broken in message.invalid_tool_calls:
            if broken["name"] == schema.name:
                # a streamed call that was cut is closed by core; only its reason tells
                reason = str(reasons.get(broken["id"]) or broken["error"])
                return _Found(text=broken["args"] or "", half="Unterminated string" in reason)
    value = _strict(text)
    if value is _NOTHING:
        text = text.rpartition("</think>")[2]  # thoughts that leaked before the answer
        value = _strict(text)
    return _Found(text=text, value=value, half=len(_QUOTES.findall(text)) % 2 == 1)


_QUOTES = re.compile(r'(?<!\\)(?:\\\\)*"')


def _strict(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return _NOTHING


_MOST_OPEN = 200
"""Of brackets that are not closed: what is no answer any more, but a model that runs in circles.
To mend it would take time that grows with their square."""


def _mended(found: _Found) -> Any:
    """Parse JSON, mending what models get wrong: fences, trailing commas, missing quotes."""
    text = found.text
    opened = text.count("{") + text.count("[")
    if found.half or not opened or opened - text.count("}") - text.count("]") > _MOST_OPEN:
        return _NOTHING
    try:
        value = json_repair.loads(text)
    except (ValueError, RecursionError):
        return _NOTHING
    return value if isinstance(value, dict | list) else _NOTHING


def _instead(message: AIMessage, schema: AnswerSchema, found: _Found) -> str:
    """Say what the reply is in place of the answer."""
    others = [call["name"] for call in message.tool_calls if call["name"] != schema.name]
    if others:
        return f"calls {', '.join(others)}"
    if found.half:
        return f"ends in the middle of a string: …{found.text[-200:]!r}"
    return f"is no JSON: {found.text[:200]!r}"
