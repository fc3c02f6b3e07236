"""Standard content blocks: thoughts, words and calls stay apart in every output version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from langchain_kimi.errors import KimiTruncatedStreamError
from langchain_kimi.testing import broken_arguments, call, cut, interleaved, say, think, turn

from .calling import Ask

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi import ChatKimi
    from langchain_kimi.testing import KimiServer

READ = call("read", path="b.txt")
BLOCKS = [
    {"type": "reasoning", "reasoning": "Both at once."},
    {"type": "text", "text": "I work."},
    {
        "type": "tool_call",
        "name": "write",
        "args": {"path": "a.txt"},
        "id": "functions.write:0",
    },
    {"type": "tool_call", "name": "read", "args": {"path": "b.txt"}, "id": "functions.read:1"},
]


def write(path: str) -> str:
    """Write a file."""
    return path


def read(path: str) -> str:
    """Read a file."""
    return path


def plain(blocks: list[Any]) -> list[Any]:
    """Drop the indexes that streaming leaves on blocks."""
    return [{key: value for key, value in block.items() if key != "index"} for block in blocks]


def script(server: KimiServer) -> None:
    calls = (call("write", path="a.txt"), READ, interleaved())
    server.script(turn(think("Both at once."), say("I work."), *calls), say("Done."))


@pytest.mark.parametrize("output_version", ["v0", "v1"])
async def test_blocks(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, output_version: str
) -> None:
    script(server)
    llm = connect(server, output_version=output_version).bind_tools([write, read])

    message = await ask(llm, "Go.")
    results = [ToolMessage("ok", tool_call_id=made["id"]) for made in message.tool_calls]
    await ask(llm, [HumanMessage("Go."), message, *results])

    assert plain(message.content_blocks) == BLOCKS
    assert message.text == "I work."
    if output_version == "v1":
        assert plain(message.content) == BLOCKS  # type: ignore[arg-type]
        assert message.additional_kwargs == {}
    else:
        assert message.content == "I work."
        assert message.additional_kwargs == {"reasoning_content": "Both at once."}
    sent = server.requests[1]["messages"][1]
    assert sent["content"] == "I work."
    assert sent["reasoning_content"] == "Both at once."
    assert len(sent["tool_calls"]) == 2


@pytest.mark.parametrize("output_version", ["v0", "v1"])
@pytest.mark.parametrize("mode", ["stream", "astream"])
async def test_blocks_of_chunks_are_of_one_kind_each(
    server: KimiServer, connect: Callable[..., ChatKimi], mode: Any, output_version: str
) -> None:
    script(server)
    llm = connect(server, output_version=output_version).bind_tools([write, read])

    chunks = await Ask(mode).chunks(llm, "Go.")

    kinds: dict[Any, set[str]] = {}
    for chunk in chunks:
        for block in chunk.content_blocks:
            if block["type"] != "tool_call":  # the last chunk of all
                kinds.setdefault(block.get("index"), set()).add(block["type"])
    assert all(len(of_one) == 1 for of_one in kinds.values())
    assert {kind for of_one in kinds.values() for kind in of_one} >= {
        "reasoning",
        "text",
        "tool_call_chunk",
    }
    assert all(chunk.response_metadata["model_provider"] == "kimi" for chunk in chunks)


async def test_empty_reasoning_is_a_block_too(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(think(""), say("Yes.")))

    message = await ask(connect(server, output_version="v1"), "Go.")

    assert plain(message.content) == [  # type: ignore[arg-type]
        {"type": "reasoning", "reasoning": ""},
        {"type": "text", "text": "Yes."},
    ]


async def test_a_broken_call_in_blocks_is_no_valid_call(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(turn(say("I work."), call("write", path="a.txt"), broken_arguments()), say("Ok."))
    llm = connect(server, output_version="v1").bind_tools([write])

    message = await ask(llm, "Go.")
    (invalid,) = message.invalid_tool_calls
    result = ToolMessage("no JSON", tool_call_id=invalid["id"] or "")
    await ask(llm, [HumanMessage("Go."), message, result])

    assert message.tool_calls == []
    assert "tool_call" not in {block["type"] for block in message.content_blocks}
    if not ask.streams:
        (block,) = (one for one in message.content_blocks if one["type"] == "invalid_tool_call")
        assert block["error"]
    assert len(server.requests[1]["messages"][1]["tool_calls"]) == 1


async def test_events_of_version_3(server: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    for _ in range(2):
        script(server)
        server.script(say("not asked for"))
    llm: Any = connect(server).bind_tools([write, read])

    stream = llm.stream_events("Go.", version="v3")
    events = list(stream)
    whole = stream.output

    assert isinstance(whole, AIMessage)
    assert plain(whole.content) == BLOCKS  # type: ignore[arg-type]
    assert whole.usage_metadata is not None
    assert whole.response_metadata["finish_reason"] == "tool_calls"
    started = [event for event in events if event["event"] == "content-block-start"]
    assert len({event["index"] for event in started}) == len(BLOCKS)
    server.clear()
    script(server)
    astream = await llm.astream_events("Go.", version="v3")
    assert plain((await astream.output).content) == BLOCKS


async def test_events_of_version_2(server: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    script(server)
    llm = connect(server).bind_tools([write, read])

    chunks = [
        event["data"]["chunk"]
        async for event in llm.astream_events("Go.", version="v2")
        if event["event"] == "on_chat_model_stream"
    ]

    first, *rest = (chunk for chunk in chunks if isinstance(chunk, AIMessageChunk))
    whole = first + rest
    assert plain(whole.content_blocks) == BLOCKS


def test_a_broken_call_in_events_of_version_3(
    server: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    server.script(turn(say("I work."), call("write", path="a.txt"), broken_arguments()), say("Ok."))
    llm: Any = connect(server).bind_tools([write])

    whole = llm.stream_events("Go.", version="v3").output
    (invalid,) = whole.invalid_tool_calls
    llm.invoke([HumanMessage("Go."), whole, ToolMessage("no JSON", tool_call_id=invalid["id"])])

    assert whole.tool_calls == []
    assert len(server.requests[1]["messages"][1]["tool_calls"]) == 1


def test_a_cut_in_events_of_version_3(server: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    server.script(turn(say("Half"), cut()))
    stream: Any = connect(server).stream_events("Go.", version="v3")

    with pytest.raises(KimiTruncatedStreamError) as caught:
        _ = stream.output

    assert caught.value.partial is not None
    assert caught.value.partial.content == "Half"
