"""From a message to the answer in its type, or to the reason why there is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import json_repair

from langchain_kimi.errors import KimiStructuredOutputError, KimiTruncatedOutputError
from langchain_kimi.structured_output.schema import SchemaMismatchError

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
    text, complete = _answer_text(message, schema, as_tool=as_tool)
    cut = message.response_metadata.get("finish_reason") == "length" and not complete
    if cut:
        msg = (
            "the answer was cut by the token budget before its JSON was complete; raise "
            "max_completion_tokens (thinking spends the same budget)"
        )
        raise KimiTruncatedOutputError(msg, partial=message)
    value = _read_json(text)
    if value is None:
        other = [call["name"] for call in message.tool_calls if call["name"] != schema.name]
        what = f"calls {', '.join(other)}" if other else f"is no JSON: {text[:200]!r}"
        msg = f"an answer that fits {schema.name} was asked for, and the reply {what}"
        raise KimiStructuredOutputError(msg, partial=message)
    try:
        return schema.validate(value)
    except SchemaMismatchError as error:
        msg = f"the answer does not fit {schema.name}: {error}"
        raise KimiStructuredOutputError(msg, partial=message) from error


def _answer_text(message: AIMessage, schema: AnswerSchema, *, as_tool: bool) -> tuple[str, bool]:
    """Find the JSON text, and whether it is complete JSON as it stands."""
    text = str(message.text)
    if as_tool:
        for call in message.tool_calls:
            if call["name"] == schema.name:
                return json.dumps(call["args"]), True
        for broken in message.invalid_tool_calls:
            if broken["name"] == schema.name:
                text = broken["args"] or ""
    text = text.rpartition("</think>")[2]  # thoughts that leaked before the answer
    return text, _strict(text) is not None


def _strict(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _read_json(text: str) -> Any:
    """Parse JSON, mending what models get wrong: fences, trailing commas, missing quotes."""
    value = _strict(text)
    if value is None and ("{" in text or "[" in text):
        value = json_repair.loads(text)
    return value if isinstance(value, dict | list) else None
