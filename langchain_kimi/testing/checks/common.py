"""Checks that more than one kind of server makes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from langchain_kimi.testing.images import DATA_PREFIX, decode_data_url, picture_format, url_of
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest

FORCED = "required"


def check_sampling(body: Mapping[str, Any]) -> None:
    """Check sampling and budgets, in the words of vLLM and SGLang.

    Raises:
        Refusal: For the first value out of its range.
    """
    check_range(body, "temperature", 0, 2, "temperature must be in [0, 2], got {value}.")
    check_range(body, "top_p", 1e-12, 1, "top_p must be in (0, 1], got {value}.")
    for field in ("n", "max_tokens", "max_completion_tokens"):
        check_range(body, field, 1, math.inf, f"{field} must be at least 1, got {{value}}.")


def check_range(body: Mapping[str, Any], field: str, low: float, high: float, message: str) -> None:
    """Check that a number, when given, is within bounds.

    Raises:
        Refusal: With the message, in which ``{value}`` stands for the value.
    """
    value = body.get(field)
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refusal(400, message.format(value=value), param=field)


def check_model(request: ChatRequest, models: tuple[str, ...], message: str) -> None:
    """Check that the model is served.

    Raises:
        Refusal: 404 with the message, in which ``{model}`` stands for the id.
    """
    if request.model not in models:
        raise Refusal(404, message.format(model=request.model), param="model")


def parts(request: ChatRequest, kind: str) -> Iterator[tuple[int, str, Any]]:
    """Yield message number, role and value of all content parts of a kind."""
    for number, message in enumerate(request.messages):
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == kind:
                yield number, message["role"], part.get(kind)


def check_data_url(url: str) -> None:
    """Check that a data URL holds a picture of a format that Kimi takes.

    Raises:
        Refusal: For a broken payload or another format.
    """
    try:
        data = decode_data_url(url)
    except ValueError as problem:
        raise Refusal(400, f"Failed to load image: {problem}") from problem
    if picture_format(data) is None:
        raise Refusal(
            400, "Failed to load image: cannot identify image file (png, jpeg, gif, webp)"
        )


def check_pictures(request: ChatRequest) -> None:
    """Check all pictures given as data URLs."""
    for _, _, value in parts(request, "image_url"):
        url = url_of(value)
        if url.startswith(DATA_PREFIX):
            check_data_url(url)
        elif not url:
            raise Refusal(400, "image_url needs a url")


def check_tools(request: ChatRequest) -> None:
    """Check that each tool is a function with a name and a valid schema.

    Raises:
        Refusal: For the first that is not.
    """
    for number, tool in enumerate(request.tools):
        function = tool.get("function") or {}
        if not function.get("name"):
            message = f"tools[{number}].function.name: Field required"
            raise Refusal(400, message, param="tools")
        check_json_schema(function.get("parameters"), f"tools[{number}].function.parameters")


def check_json_schema(schema: Any, place: str) -> None:
    """Check that a schema is one: servers compile it to a grammar.

    Raises:
        Refusal: When it is none.
    """
    fault = _schema_fault(json.dumps(schema)) if schema else None
    if fault:
        raise Refusal(400, f"{place}: invalid JSON schema: {fault}", param=place)


@lru_cache(maxsize=256)
def _schema_fault(written: str) -> str | None:
    """Say what is wrong with a schema; kept, since a client sends the same tools each time."""
    try:
        Draft202012Validator.check_schema(json.loads(written))
    except SchemaError as error:
        return error.message[:200]
    return None


def check_tool_choice(request: ChatRequest) -> None:
    """Check that a forced choice names a tool that is there.

    Raises:
        Refusal: For a choice without tools, an unknown word or an unknown name.
    """
    choice = request.body.get("tool_choice")
    if choice in (None, "none"):
        return
    if not request.tools:
        raise Refusal(400, "When using `tool_choice`, `tools` must be set.", param="tool_choice")
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        if name not in tool_names(request):
            message = (
                "The tool specified in `tool_choice` does not match any of the specified `tools`"
            )
            raise Refusal(400, message, param="tool_choice")
    elif choice not in ("auto", FORCED):
        message = (
            f'Invalid value for `tool_choice`: {choice}! Only named tools, "none", "auto" or '
            '"required" are supported.'
        )
        raise Refusal(400, message, param="tool_choice")


def check_stream_options(request: ChatRequest) -> None:
    """Check that stream options come with a stream."""
    if request.body.get("stream_options") and not request.stream:
        message = "Stream options can only be defined when `stream=True`."
        raise Refusal(400, message, param="stream_options")


def check_response_format(request: ChatRequest) -> None:
    """Check the kind of a response format, and that a schema has its name and schema.

    Raises:
        Refusal: For an unknown kind or a missing part.
    """
    wanted = request.body.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        message = f"response_format.type must be text, json_object or json_schema, got {kind!r}"
        raise Refusal(400, message, param="response_format")
    if kind != "json_schema":
        return
    given = wanted.get("json_schema")
    if not isinstance(given, Mapping) or not given.get("name"):
        message = "response_format.json_schema.name: Field required"
        raise Refusal(400, message, param="response_format")
    if not isinstance(given.get("schema"), Mapping):
        message = "response_format.json_schema.schema: Field required, an object"
        raise Refusal(400, message, param="response_format")
    check_json_schema(given["schema"], "response_format.json_schema.schema")


def tool_names(request: ChatRequest) -> list[str]:
    """Return the names of the declared tools."""
    return [str((tool.get("function") or {}).get("name")) for tool in request.tools]
