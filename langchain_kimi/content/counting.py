"""What messages, tools and request bodies cost in tokens, part by part.

The marks that Kimi's chat template puts around each part are counted: `<|im_user|>user
<|im_middle|>…<|im_end|>`, `## Return of ID`, `<|tool_call_begin|>ID<|tool_call_argument_begin|>`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from langchain_kimi.content.blocks import Media, read_media_block
from langchain_kimi.content.cost import PICTURE_OVERHEAD, picture_tokens
from langchain_kimi.content.headers import encoded_size
from langchain_kimi.content.tokens import estimate_tokens

__all__ = [
    "content_tokens",
    "loop_start",
    "media_tokens",
    "message_parts",
    "request_tokens",
    "tools_tokens",
]

MESSAGE_MARKS = 4
CALL_MARKS = 9
"""The marks around a call and its id, its name not counted."""
RESULT_MARKS = 8
THINK_MARKS = 2
TOOLS_MARKS = 6
UNKNOWN_PICTURE = 2_000
"""A picture behind a link or a file id (kimi-cli reckons the same)."""
UNKNOWN_VIDEO = 30_000
"""About a minute of 1280x720."""

Parts = dict[str, int]
"""Tokens by kind: text, media, reasoning, tool_calls, marks."""


def loop_start(messages: Sequence[BaseMessage]) -> int:
    """Return where the running tool loop begins: behind the last answer without tool calls.

    The chat template drops the reasoning of everything before it.
    """
    for at in range(len(messages) - 1, -1, -1):
        message = messages[at]
        if isinstance(message, AIMessage) and not message.tool_calls:
            return at + 1
    return 0


def message_parts(message: BaseMessage, *, with_reasoning: bool) -> Parts:
    """Return what a message costs.

    Args:
        message: Any message.
        with_reasoning: Whether its reasoning is sent.
    """
    text, media, thought = content_tokens(message.content)
    parts = {"text": text, "media": media, "marks": MESSAGE_MARKS}
    if isinstance(message, ToolMessage):
        parts["marks"] += RESULT_MARKS
    if not isinstance(message, AIMessage):
        return parts
    parts["marks"] += THINK_MARKS
    if with_reasoning:
        reasoning = message.additional_kwargs.get("reasoning_content")
        parts["reasoning"] = (
            estimate_tokens(reasoning) if isinstance(reasoning, str) and reasoning else thought
        )
    if message.tool_calls:
        parts["tool_calls"] = sum(
            CALL_MARKS + estimate_tokens(call["name"]) + estimate_tokens(_json(call["args"]))
            for call in message.tool_calls
        )
    return parts


def content_tokens(content: str | Sequence[Any]) -> tuple[int, int, int]:
    """Return the tokens of text, of media and of reasoning blocks in a message's content."""
    if isinstance(content, str):
        return estimate_tokens(content), 0, 0
    text = media = thought = 0
    for block in content:
        if isinstance(block, str):
            text += estimate_tokens(block)
            continue
        kind = block.get("type")
        if kind == "text":
            text += estimate_tokens(block.get("text") or "")
        elif kind in ("reasoning", "thinking"):
            thought += estimate_tokens(block.get("reasoning") or block.get("thinking") or "")
        elif kind not in ("tool_call", "tool_call_chunk", "tool_use", "invalid_tool_call"):
            found = read_media_block(block)
            if found is None:
                text += estimate_tokens(_json(block))
            elif found.text is not None:
                text += estimate_tokens(found.text)
            else:
                media += media_tokens(found) + PICTURE_OVERHEAD
    return text, media, thought


def media_tokens(media: Media) -> int:
    """Return what a medium costs: a picture by its size, a film or what is out of sight flatly.

    The marks around it are not counted.

    Args:
        media: As `read_media_block` returns it.
    """
    if media.kind == "video":
        return UNKNOWN_VIDEO
    if media.base64 is not None:
        size = encoded_size(media.base64)
    elif media.url is not None and media.url.startswith("data:"):
        size = encoded_size(media.url, media.url.find(",", 0, 200) + 1)
    else:
        size = None
    if size is None or min(size) < 1:
        return UNKNOWN_PICTURE
    return picture_tokens(*size)


def tools_tokens(tools: Iterable[Mapping[str, Any]]) -> int:
    """Return what declared tools cost.

    Args:
        tools: Function tools in OpenAI's shape.
    """
    texts = [_json(tool.get("function", tool)) for tool in tools]
    return TOOLS_MARKS + sum(map(estimate_tokens, texts)) if texts else 0


def request_tokens(body: Mapping[str, Any]) -> int:
    """Return what the messages and tools of a chat completion's JSON body cost.

    Args:
        body: With `messages`, and `tools` where there are any.
    """
    total = tools_tokens(body.get("tools") or ())
    for message in body.get("messages") or ():
        content = message.get("content")
        total += MESSAGE_MARKS + sum(content_tokens(content) if content else ())
        reasoning = message.get("reasoning_content") or message.get("reasoning")
        if reasoning:
            total += THINK_MARKS + estimate_tokens(reasoning)
        if message.get("role") == "tool":
            total += RESULT_MARKS
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments = function.get("arguments") or ""
            text = arguments if isinstance(arguments, str) else _json(arguments)
            total += CALL_MARKS + estimate_tokens(function["name"]) + estimate_tokens(text)
    return total


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
