"""What vLLM refuses. Unknown fields, role names and broken arguments in history pass."""

from __future__ import annotations

from langchain_kimi.testing.checks.common import (
    check_model,
    check_pictures,
    check_response_format,
    check_sampling,
    check_stream_options,
    check_tool_choice,
    check_tools,
    parts,
)
from langchain_kimi.testing.checks.shape import check_shape
from langchain_kimi.testing.images import url_of
from langchain_kimi.testing.refusal import Refusal
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.settings import Settings


def check(request: ChatRequest, settings: Settings) -> None:
    """Check a request.

    Raises:
        Refusal: For the first fault.
    """
    check_shape(request.body)
    if request.body.get("model"):
        check_model(request, settings.models, "The model `{model}` does not exist.")
    check_sampling(request.body)
    check_stream_options(request)
    check_tools(request)
    check_tool_choice(request)
    check_response_format(request)
    _check_media(request)
    check_context(request, settings.context_window)


def check_context(request: ChatRequest, window: int) -> None:
    """Check that prompt and budget fit into the context, in vLLM's words.

    Raises:
        Refusal: When they do not.
    """
    prompt, budget = request.prompt_tokens, request.max_tokens
    if prompt >= window:
        message = (
            f"This model's maximum context length is {window} tokens. However, your request has "
            f"{prompt} input tokens. Please reduce the length of the input messages."
        )
        raise Refusal(400, message, param="input_tokens")
    if budget is not None and prompt + budget > window:
        message = (
            f"'max_tokens' or 'max_completion_tokens' is too large: {budget}. This model's "
            f"maximum context length is {window} tokens and your request has {prompt} input "
            f"tokens ({budget} > {window} - {prompt})."
        )
        raise Refusal(400, message, param="max_tokens")


def _check_media(request: ChatRequest) -> None:
    """Pictures are decoded; ``file:`` URLs and videos make the server fail with 500."""
    for _ in parts(request, "video_url"):
        raise Refusal(500, "Video input is not supported for this model")
    for _, _, value in parts(request, "image_url"):
        if url_of(value).startswith("file:"):
            message = "Cannot load local files without `--allowed-local-media-path`."
            raise Refusal(500, message)
    check_pictures(request)
