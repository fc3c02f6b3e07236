"""What Moonshot's platform refuses: locked sampling, broken tool loops, loose schemas."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from langchain_kimi.testing.checks.common import check_data_url, check_model, parts
from langchain_kimi.testing.checks.shape import check_shape
from langchain_kimi.testing.images import decode_data_url, url_of
from langchain_kimi.testing.mfjs import SchemaError, check_schema
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

TOOL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,255}")
UPLOADED = "ms://"
MAX_STOPS = 5
MAX_STOP_BYTES = 32
PRESERVING = ("kimi-k2.7", "kimi-k3")
K3 = "kimi-k3"


def check(
    request: ChatRequest, settings: Settings, uploads: Container[str], *, thinking: bool
) -> None:
    """Check a request.

    Raises:
        Refusal: For the first fault.
    """
    check_shape(request.body)
    check_model(request, settings.models, "Not found the model {model} or Permission denied")
    _check_sampling(request, thinking=thinking)
    _check_thinking(request)
    _check_stop(request)
    _check_tools(request)
    _check_tool_choice(request, thinking=thinking)
    _check_texts(request)
    _check_pairs(request)
    if thinking:
        _check_reasoning(request)
    _check_response_format(request)
    _check_media(request, uploads)
    _check_context(request, settings.context_window)


def _check_sampling(request: ChatRequest, *, thinking: bool) -> None:
    locked = {
        "temperature": 1.0 if thinking else 0.6,
        "top_p": 0.95,
        "n": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
    }
    for field, only in locked.items():
        value = request.body.get(field)
        if value is not None and value != only:
            message = f"invalid {field}: only {only:g} is allowed for this model"
            raise Refusal(400, message)
    for field in ("max_tokens", "max_completion_tokens"):
        value = request.body.get(field)
        if value is not None and (not isinstance(value, int) or value < 1):
            raise Refusal(400, f"invalid {field}: must be at least 1, got {value}")


def _check_thinking(request: ChatRequest) -> None:
    switch = request.body.get("thinking")
    if switch is None:
        return
    if not isinstance(switch, Mapping) or switch.get("type") not in ("enabled", "disabled"):
        raise Refusal(400, "invalid thinking: type must be enabled or disabled")
    if switch.get("keep") not in (None, "all"):
        raise Refusal(400, "invalid thinking: keep must be null or all")


def _check_stop(request: ChatRequest) -> None:
    if len(request.stop) > MAX_STOPS:
        raise Refusal(400, f"invalid stop: at most {MAX_STOPS} strings are allowed")
    for text in request.stop:
        if len(text.encode()) > MAX_STOP_BYTES:
            raise Refusal(400, f"invalid stop: at most {MAX_STOP_BYTES} bytes are allowed")


def _check_tools(request: ChatRequest) -> None:
    seen: set[str] = set()
    for tool in request.tools:
        function = tool.get("function") or {}
        name = str(function.get("name") or "")
        if tool.get("type") == "builtin_function":
            continue
        if not TOOL_NAME.fullmatch(name):
            message = (
                f"function name is invalid: {name!r}, must start with a letter and can contain "
                "letters, numbers, underscores, and dashes"
            )
            raise Refusal(400, message)
        if name in seen:
            raise Refusal(400, f"function name {name} is duplicated")
        seen.add(name)
        _check_parameters(function.get("parameters"))


def _check_parameters(parameters: Any) -> None:
    try:
        check_schema({} if parameters is None else parameters)
    except SchemaError as problem:
        message = (
            "Invalid request: tools.function.parameters is not a valid moonshot flavored json "
            f"schema, details: <{problem}>"
        )
        raise Refusal(400, message) from problem


def _check_tool_choice(request: ChatRequest, *, thinking: bool) -> None:
    choice = request.body.get("tool_choice")
    if choice == "required" and not request.tools:
        raise Refusal(400, "tool_choice 'required' needs tools")
    if not thinking or request.model == K3:
        return
    word = "specified" if isinstance(choice, Mapping) else choice
    if word in ("required", "specified"):
        raise Refusal(400, f"tool_choice '{word}' is incompatible with thinking enabled")


def _check_texts(request: ChatRequest) -> None:
    for number, message in enumerate(request.messages):
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part["type"] == "text" and not part.get("text"):
                raise Refusal(400, "text content is empty")
        is_empty = not content and not message.get("tool_calls")
        if message["role"] == "assistant":
            is_empty = is_empty and not message.get("reasoning_content")
            is_empty = is_empty and not message.get("partial")
        if is_empty and message["role"] in ("assistant", "user"):
            text = (
                f"the message at position {number} with role '{message['role']}' must not be empty"
            )
            raise Refusal(400, text)


def _check_pairs(request: ChatRequest) -> None:
    """Every call needs exactly one result after it, every result a call before it."""
    waiting: list[str] = []
    for message in request.messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                raise Refusal(400, "tool_call_id  is not found")
            waiting.remove(message["tool_call_id"])
            continue
        _check_answered(waiting)
        waiting = [str(call.get("id")) for call in message.get("tool_calls") or ()]
    _check_answered(waiting)


def _check_answered(waiting: list[str]) -> None:
    if waiting:
        message = (
            "an assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{', '.join(sorted(waiting))}"
        )
        raise Refusal(400, message)


def _check_reasoning(request: ChatRequest) -> None:
    for number, message in _running_loop(request):
        if message.get("tool_calls") and not isinstance(message.get("reasoning_content"), str):
            text = (
                "thinking is enabled but reasoning_content is missing in assistant tool call "
                f"message at index {number}"
            )
            raise Refusal(400, text)


def _running_loop(request: ChatRequest) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the assistant messages whose reasoning the model still reads.

    They come after the last assistant message without calls; all of them when the request
    or the model preserves thinking.
    """
    switch = request.body.get("thinking") or {}
    preserving = switch.get("keep") == "all" or request.model.startswith(PRESERVING)
    turns = [(n, m) for n, m in enumerate(request.messages) if m["role"] == "assistant"]
    answers = [n for n, message in turns if not message.get("tool_calls")]
    first = 0 if preserving or not answers else answers[-1] + 1
    yield from ((number, message) for number, message in turns if number >= first)


def _check_response_format(request: ChatRequest) -> None:
    wanted = request.body.get("response_format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind not in ("text", "json_object", "json_schema"):
        raise Refusal(400, f"invalid response_format: type {kind!r}")
    if kind != "text" and request.messages[-1].get("partial"):
        raise Refusal(400, "response_format must not be used with partial mode")
    if kind == "json_schema":
        _check_json_schema(wanted.get("json_schema"))


def _check_json_schema(given: Any) -> None:
    if not isinstance(given, Mapping) or not given.get("name"):
        raise Refusal(400, "invalid response_format: json_schema.name is required")
    if not isinstance(given.get("schema"), Mapping):
        raise Refusal(400, "invalid response_format: json_schema.schema is required")
    if not isinstance(given.get("strict", True), bool):
        raise Refusal(400, "invalid response_format: json_schema.strict must be a boolean")
    try:
        check_schema(given["schema"])
    except SchemaError as problem:
        message = f"invalid response_format: json_schema.schema is not valid, details: <{problem}>"
        raise Refusal(400, message) from problem


def _check_media(request: ChatRequest, uploads: Container[str]) -> None:
    """Media come inline or as ``ms://`` uploads; public URLs are not fetched."""
    pictures = [url_of(value) for _, _, value in parts(request, "image_url")]
    videos = [url_of(value) for _, _, value in parts(request, "video_url")]
    for url in [*pictures, *videos]:
        if url.startswith(UPLOADED) and url.removeprefix(UPLOADED) not in uploads:
            raise Refusal(400, f"file {url} is not found")
        if not url.startswith((UPLOADED, "data:")):
            raise Refusal(400, f"unsupported image url: {url[:80]}")
    for url in pictures:
        if url.startswith("data:"):
            check_data_url(url)
    for url in videos:
        if url.startswith("data:"):
            _check_video(url)


def _check_video(url: str) -> None:
    try:
        decode_data_url(url)
    except ValueError as problem:
        raise Refusal(400, f"invalid video: {problem}") from problem


def _check_context(request: ChatRequest, window: int) -> None:
    wanted = request.prompt_tokens
    if wanted > window:
        message = f"Your request exceeded model token limit: {window} (requested: {wanted})"
        raise Refusal(400, message)
    budget = request.max_tokens
    if budget is not None and budget > window - wanted:
        message = f"invalid max_completion_tokens: at most {window - wanted} are left, got {budget}"
        raise Refusal(400, message)
