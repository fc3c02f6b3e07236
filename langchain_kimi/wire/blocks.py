"""langchain's standard content blocks, from what a Kimi message keeps and how it streams.

Each kind of block has an index of its own: core merges streamed blocks by index, so a shared one
would melt reasoning and a tool call into one corrupt block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.block_translators import register_translator

from langchain_kimi.wire.reasoning import KEY
from langchain_kimi.wire.reply import PROVIDER, REASONS_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessage
    from langchain_core.messages import content as types

    from langchain_kimi.wire.reply import Delta

__all__ = ["chunk_of", "register", "whole_v1"]

REASONING_INDEX = "lc_rs_0"
TEXT_INDEX = "lc_txt_0"


def chunk_of(
    delta: Delta,
    *,
    v1: bool,
    last: dict[str, Any] | None = None,
    usage: Any = None,
) -> AIMessageChunk:
    """Build the chunk that carries `delta`.

    Args:
        delta: What is added.
        v1: Whether content is a list of standard blocks; reasoning then stands there alone.
        last: The reply's metadata, on its last chunk.
        usage: The reply's usage, on its last chunk.
    """
    metadata = {"model_provider": PROVIDER}
    given: dict[str, Any] = {}  # what is left out is not validated, which costs a fifth of a chunk
    content: Any = delta.text
    if v1:
        metadata["output_version"] = "v1"
        content = list(_delta_blocks(delta))
    elif delta.reasoning is not None:
        given["additional_kwargs"] = {KEY: delta.reasoning}
    if delta.calls:
        given["tool_call_chunks"] = delta.calls
    if last is not None:
        metadata |= last
        given |= {"usage_metadata": usage, "chunk_position": "last"}
    return AIMessageChunk(content=content, response_metadata=metadata, **given)


def whole_v1(message: AIMessage) -> AIMessage:
    """Return the message with standard blocks as content, reasoning there and nowhere else."""
    kwargs = {key: value for key, value in message.additional_kwargs.items() if key != KEY}
    return message.model_copy(
        update={
            "content": message.content_blocks,
            "additional_kwargs": kwargs,
            "response_metadata": {**message.response_metadata, "output_version": "v1"},
        }
    )


def register() -> None:
    """Teach langchain-core to read Kimi messages as standard blocks."""
    register_translator(PROVIDER, _translate, _translate_chunk)


def _delta_blocks(delta: Delta) -> Iterator[dict[str, Any]]:
    if delta.reasoning is not None:
        yield {"type": "reasoning", "reasoning": delta.reasoning, "index": REASONING_INDEX}
    if delta.text:
        yield {"type": "text", "text": delta.text, "index": TEXT_INDEX}
    for call in delta.calls:
        yield {**call}


def _translate(message: AIMessage) -> list[types.ContentBlock]:
    blocks: list[dict[str, Any]] = list(_kept(message, indexed=False))
    blocks += [
        {"type": "tool_call", "name": call["name"], "args": call["args"], "id": call["id"]}
        for call in message.tool_calls
    ]
    # a message that was streamed has the reasons in its metadata alone: merging drops them
    reasons = message.response_metadata.get(REASONS_KEY, {})
    blocks += [
        {
            "type": "invalid_tool_call",
            "name": call["name"],
            "args": call["args"],
            "id": call["id"],
            "error": call["error"] or reasons.get(call["id"]),
        }
        for call in message.invalid_tool_calls
    ]
    return cast("list[types.ContentBlock]", blocks)


def _translate_chunk(chunk: AIMessageChunk) -> list[types.ContentBlock]:
    if chunk.chunk_position == "last":
        return _translate(chunk)
    blocks: list[dict[str, Any]] = list(_kept(chunk, indexed=True))
    blocks += [{**call} for call in chunk.tool_call_chunks]
    return cast("list[types.ContentBlock]", blocks)


def _kept(message: AIMessage, *, indexed: bool) -> Iterator[dict[str, Any]]:
    reasoning = message.additional_kwargs.get(KEY)
    if isinstance(reasoning, str):
        yield {
            "type": "reasoning",
            "reasoning": reasoning,
            **({"index": REASONING_INDEX} if indexed else {}),
        }
    if isinstance(message.content, str):
        if message.content:
            yield {
                "type": "text",
                "text": message.content,
                **({"index": TEXT_INDEX} if indexed else {}),
            }
        return
    for block in message.content:
        if isinstance(block, str):
            yield {"type": "text", "text": block}
        elif block.get("type") not in {"tool_call", "tool_call_chunk", "invalid_tool_call"}:
            yield block
