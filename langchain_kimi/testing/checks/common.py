"""Checks that more than one kind of server makes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langchain_kimi.testing.images import DATA_PREFIX, decode_data_url, picture_format, url_of
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest

FORCED = "required"


def check_shape(body: Mapping[str, Any]) -> None:
    """Check what every server needs to read a request at all.

    Raises:
        Refusal: When messages are missing, empty or no objects.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise Refusal(400, "messages: Field required, a list of messages", param="messages")
    if not messages:
        raise Refusal(400, "messages must not be empty", param="messages")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise Refusal(400, f"messages[{number}] must be an object with a role")
        _check_content(message.get("content"), number)
        if not isinstance(message.get("tool_calls") or [], list):
            raise Refusal(400, f"messages[{number}].tool_calls must be a list")


def _check_content(content: Any, number: int) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise Refusal(400, f"messages[{number}].content must be a string or a list of parts")
    for part in content:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            raise Refusal(400, f"messages[{number}].content has a part without a type")


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
    """Check that each tool is a function with a name.

    Raises:
        Refusal: For the first that is not.
    """
    for number, tool in enumerate(request.tools):
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if not isinstance(function, Mapping) or not function.get("name"):
            message = f"tools[{number}].function.name: Field required"
            raise Refusal(400, message, param="tools")


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


def tool_names(request: ChatRequest) -> list[str]:
    """Return the names of the declared tools."""
    return [str((tool.get("function") or {}).get("name")) for tool in request.tools]
