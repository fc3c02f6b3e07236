"""What SGLang refuses. It does not look at the model's name."""

from __future__ import annotations

from langchain_kimi.testing.checks.common import (
    check_pictures,
    check_response_format,
    check_sampling,
    check_tools,
    parts,
    tool_names,
)
from langchain_kimi.testing.checks.shape import check_shape
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


def check(request: ChatRequest, settings: Settings) -> None:
    """Check a request.

    Raises:
        Refusal: For the first fault.
    """
    check_shape(request.body)
    check_sampling(request.body)
    _check_roles(request)
    _check_tool_messages(request)
    check_tools(request)
    _check_tool_choice(request)
    check_response_format(request)
    for _ in parts(request, "video_url"):
        raise Refusal(500, "Video input is not supported for this model")
    check_pictures(request)
    _check_context(request, settings.context_window)


def _check_roles(request: ChatRequest) -> None:
    for number, message in enumerate(request.messages):
        if message["role"] not in ROLES:
            raise Refusal(400, f"messages[{number}].role: unexpected value {message['role']!r}")


def _check_tool_messages(request: ChatRequest) -> None:
    """A tool message must follow an assistant message with calls, or another of its results."""
    open_for_results = False
    for number, message in enumerate(request.messages):
        if message["role"] == "assistant":
            open_for_results = bool(message.get("tool_calls"))
        elif message["role"] != "tool":
            open_for_results = False
        elif not open_for_results:
            text = (
                f"messages[{number}] with role 'tool' must follow an assistant message with "
                "tool_calls"
            )
            raise Refusal(400, text)


def _check_tool_choice(request: ChatRequest) -> None:
    choice = request.body.get("tool_choice")
    if choice == "required" and not request.tools:
        raise Refusal(400, "Tools cannot be empty if tool choice is set to required.")
    if isinstance(choice, dict):
        name = (choice.get("function") or {}).get("name")
        if name not in tool_names(request):
            raise Refusal(400, f"Tool '{name}' not found in tools list.")


def _check_context(request: ChatRequest, window: int) -> None:
    prompt, budget = request.prompt_tokens, request.max_tokens
    if prompt >= window:
        message = (
            f"The input ({prompt} tokens) is longer than the model's context length "
            f"({window} tokens)."
        )
        raise Refusal(400, message)
    if budget is not None and prompt + budget > window:
        message = (
            f"Requested token count exceeds the model's maximum context length of {window} "
            f"tokens. You requested a total of {prompt + budget} tokens: {prompt} tokens from the "
            f"input messages and {budget} tokens for the completion. Please reduce the number of "
            "tokens in the input messages or the completion to fit within the limit."
        )
        raise Refusal(400, message)
