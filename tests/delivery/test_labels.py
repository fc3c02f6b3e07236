"""Where a server puts pictures before the text, labels say where each stood."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.models import facts_of
from langchain_kimi.wire.request import Options, build_request

from .helpers import picture_block, png, text

PICTURE = picture_block(png())


def wired(*messages: Any, endpoint: str = "vllm") -> list[dict[str, Any]]:
    model = "moonshotai/kimi-k2.6"
    options = Options(model=model, facts=facts_of(model), endpoint=ENDPOINTS[endpoint])
    built: list[dict[str, Any]] = build_request(messages, options).body["messages"]
    return built


def told(message: dict[str, Any]) -> list[str]:
    """The texts of a message, with `*` for each picture."""
    return [part.get("text", "*") for part in message["content"]]


@pytest.mark.parametrize("endpoint", ["vllm", "sglang", "nvidia"])
def test_interleaved_pictures_are_numbered(endpoint: str) -> None:
    content = [text("Between"), PICTURE, text("and"), PICTURE, text("which is red?")]
    (message,) = wired(HumanMessage(content), endpoint=endpoint)
    assert told(message) == [
        "Between",
        "Image 1:",
        "*",
        "and",
        "Image 2:",
        "*",
        "which is red?",
    ]


def test_moonshot_keeps_the_order_and_needs_no_numbers() -> None:
    content = [text("Between"), PICTURE, text("and"), PICTURE]
    (message,) = wired(HumanMessage(content), endpoint="moonshot")
    assert told(message) == ["Between", "*", "and", "*"]


@pytest.mark.parametrize(
    "content",
    [
        [PICTURE, text("What?")],
        [text("What?"), PICTURE, text("Say it.")],
        [text("Compare:"), PICTURE, PICTURE],
        [PICTURE, PICTURE, PICTURE, text("Which is first?")],
    ],
)
def test_pictures_without_text_between_stay_as_they_are(content: list[Any]) -> None:
    (message,) = wired(HumanMessage(content))
    assert len(message["content"]) == len(content)


def test_numbers_start_anew_in_each_message() -> None:
    content = [PICTURE, text("or"), PICTURE]
    first, _, second = wired(HumanMessage(content), AIMessage("Red."), HumanMessage(content))
    assert told(first) == told(second) == ["Image 1:", "*", "or", "Image 2:", "*"]


def test_a_callers_own_labels_are_not_repeated() -> None:
    content = [text("Image 1:"), PICTURE, text("Image 2:"), PICTURE]
    (message,) = wired(HumanMessage(content))
    assert told(message) == ["Image 1:", "*", "Image 2:", "*"]


def test_the_time_of_a_frame_is_part_of_its_label() -> None:
    content = [text("00:00:00.250"), PICTURE, text("00:00:01.000"), PICTURE, text("What?")]
    (message,) = wired(HumanMessage(content))
    assert told(message) == [
        "Image 1, 00:00:00.250:",
        "*",
        "Image 2, 00:00:01.000:",
        "*",
        "What?",
    ]


def tool_results(*contents: Any) -> list[Any]:
    calls: list[Any] = [
        {"name": "look", "args": {}, "id": str(n), "type": "tool_call"}
        for n in range(len(contents))
    ]
    results = [ToolMessage(content, tool_call_id=str(n)) for n, content in enumerate(contents)]
    return [HumanMessage("Look."), AIMessage("", tool_calls=calls), *results]


@pytest.mark.parametrize("endpoint", ["vllm", "moonshot"])
def test_times_move_with_the_frames_of_a_tool_result(endpoint: str) -> None:
    frames = [text("A film:"), text("00:00:00.250"), PICTURE, text("00:00:01.000"), PICTURE]
    *_, result, moved = wired(*tool_results(frames), endpoint=endpoint)
    assert result["content"] == "A film:\n[2 attached: see the next user message]"
    source = "Attached media from the result of functions.look:0:"
    if endpoint == "vllm":
        labels = ["Image 1, 00:00:00.250:", "*", "Image 2, 00:00:01.000:", "*"]
    else:
        labels = ["00:00:00.250", "*", "00:00:01.000", "*"]
    assert told(moved) == [source, *labels]


def test_pictures_of_several_results_are_numbered_where_they_meet() -> None:
    *_, moved = wired(*tool_results([PICTURE], [PICTURE]))
    assert told(moved) == [
        "Attached media from the result of functions.look:0:",
        "Image 1:",
        "*",
        "Attached media from the result of functions.look:1:",
        "Image 2:",
        "*",
    ]


def test_a_time_that_stands_alone_is_text() -> None:
    *_, result = wired(*tool_results([text("00:00:00.250"), text("is when it starts")]))
    assert result["content"] == "00:00:00.250\nis when it starts"


def test_the_callers_blocks_are_left_alone() -> None:
    content: list[Any] = [text("00:00:00.250"), dict(PICTURE), text("and"), dict(PICTURE)]
    before = [dict(block) for block in content]
    wired(HumanMessage(content))
    assert content == before
