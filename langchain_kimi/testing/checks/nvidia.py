"""What NVIDIA's hosted endpoint refuses: first of all every field that it does not know."""

from __future__ import annotations

import re
from collections.abc import Container

from langchain_kimi.testing.checks.common import (
    check_data_url,
    check_range,
    check_tools,
    parts,
    tool_names,
)
from langchain_kimi.testing.checks.shape import check_shape
from langchain_kimi.testing.checks.vllm import check_context
from langchain_kimi.testing.images import url_of
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

FIELDS = frozenset(
    [
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "seed",
        "stream",
        "stream_options",
        "stop",
        "chat_template_kwargs",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
    ]
)
MAX_TOKENS = 65_536
ASSET = re.compile(r"data:[\w/+.-]+;asset_id,(?P<id>[\w-]+)")


def check(request: ChatRequest, settings: Settings, uploads: Container[str]) -> None:
    """Check a request.

    Raises:
        Refusal: For the first fault.
    """
    _check_model(request, settings)
    _check_fields(request, settings)
    check_shape(request.body)
    body = request.body
    check_range(body, "temperature", 0, 2, "Validation: temperature must be in [0, 2]")
    check_range(body, "top_p", 1e-12, 1, "Validation: top_p must be in (0, 1]")
    bounds = f"Validation: max_tokens must be between 1 and {MAX_TOKENS}, got {{value}}"
    check_range(body, "max_tokens", 1, MAX_TOKENS, bounds)
    if body.get("parallel_tool_calls") and not settings.parallel_tool_calls:
        raise Refusal(400, "This model only supports single tool-calls at once!")
    _check_content_lists(request)
    check_tools(request)
    _check_tool_choice(request)
    _check_media(request, uploads)
    check_context(request, settings.context_window)


def _check_model(request: ChatRequest, settings: Settings) -> None:
    if request.model in settings.retired_models:
        raise Refusal(404)
    if request.model not in settings.models:
        raise Refusal(404, f"Model '{request.model}' not found")


def _check_fields(request: ChatRequest, settings: Settings) -> None:
    known = FIELDS | settings.accepts
    if request.model.endswith("kimi-k3"):
        known |= {"reasoning_effort"}
    unknown = [field for field in request.body if field not in known]
    if unknown:
        names = ", ".join(f"`{field}`" for field in unknown)
        raise Refusal(400, f"Validation: Unsupported parameter(s): {names}")


def _check_content_lists(request: ChatRequest) -> None:
    for message in request.messages:
        if isinstance(message.get("content"), list) and message["role"] != "user":
            text = (
                f"Validation: For the {message['role']} role, the object list format of content "
                "is not supported"
            )
            raise Refusal(400, text)


def _check_tool_choice(request: ChatRequest) -> None:
    choice = request.body.get("tool_choice")
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        if name not in tool_names(request):
            raise Refusal(400, f"Validation: tool_choice names no declared tool: {name!r}")
    elif choice not in (None, "none", "auto", "required"):
        raise Refusal(400, f"Validation: unknown tool_choice {choice!r}")
    elif choice == "required" and not request.tools:
        raise Refusal(400, "Validation: tool_choice `required` needs tools")


def _check_media(request: ChatRequest, uploads: Container[str]) -> None:
    """Pictures come inline or as an asset that was uploaded before."""
    media = [*parts(request, "image_url"), *parts(request, "video_url")]
    for _, _, value in media:
        asset = ASSET.fullmatch(url_of(value))
        if asset and asset["id"] not in uploads:
            raise Refusal(400, f"Asset '{asset['id']}' not found")
    for _, _, value in parts(request, "image_url"):
        url = url_of(value)
        if url.startswith("data:") and not ASSET.fullmatch(url):
            check_data_url(url)
