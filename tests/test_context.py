"""What a conversation costs, and how it is made to fit."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import random
import statistics
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool

from langchain_kimi.content.cost import fitted_size, picture_tokens, video_tokens
from langchain_kimi.context import (
    context_cost,
    estimate_messages,
    estimate_request,
    estimate_tokens,
    stub_media,
    trim,
)
from langchain_kimi.errors import KimiInvalidInputError

SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "token-counts.jsonl"


def png(width: int, height: int) -> str:
    """Return a data URL whose header is that of a picture."""
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(200)
    return "data:image/png;base64," + base64.b64encode(head).decode()


def picture(width: int = 640, height: int = 480, **extra: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": png(width, height)}, **extra}


def call(number: int, *, thought: str = "", answer: str = "done") -> list[BaseMessage]:
    calls = [{"name": "look", "args": {"n": number}, "id": f"functions.look:{number}"}]
    kwargs = {"reasoning_content": thought} if thought else {}
    return [
        AIMessage("", tool_calls=calls, additional_kwargs=kwargs),
        ToolMessage(answer, tool_call_id=f"functions.look:{number}"),
    ]


# --- text -----------------------------------------------------------------------------------


def samples() -> list[dict[str, Any]]:
    return [json.loads(line) for line in SAMPLES.read_text().splitlines()]


@pytest.mark.skipif(not SAMPLES.exists(), reason="the counted samples are not on this machine")
def test_the_estimate_is_close_on_samples_of_every_kind() -> None:
    errors: dict[str, list[float]] = {}
    for sample in samples():
        error = abs(estimate_tokens(sample["text"]) - sample["tokens"]) / sample["tokens"]
        errors.setdefault(sample["kind"], []).append(error)
    assert statistics.median(itertools.chain(*errors.values())) < 0.025
    assert {kind: median for kind, found in errors.items()
            if (median := statistics.median(found)) > 0.05} == {}  # fmt: skip


@pytest.mark.skipif(not SAMPLES.exists(), reason="the counted samples are not on this machine")
def test_the_estimate_is_close_on_samples_that_were_not_fitted() -> None:
    fitted = [s for s in samples() if s["kind"] in ("prose", "python", "json", "table")]
    errors = [abs(estimate_tokens(s["text"]) - s["tokens"]) / s["tokens"] for s in fitted[1::2]]
    assert statistics.median(errors) < 0.025


@given(st.text())
def test_any_text_has_an_estimate(text: str) -> None:
    tokens = estimate_tokens(text)
    assert (tokens == 0) == (text == "")
    assert tokens <= 3 * len(text.encode("utf-8", "replace"))


def test_the_estimate_grows_with_the_text() -> None:
    text = "The quick brown fox, 123 times, jumps over\n  the_lazy dog. Быстрая лиса. 敏捷的狐狸。"
    assert estimate_tokens(text * 100) == pytest.approx(100 * estimate_tokens(text), rel=0.03)


# --- pictures and films -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ((640, 480), 414),
        ((612, 792), 638),
        ((850, 1100), 1240),
        ((1280, 720), 1196),
        ((1920, 1080), 2691),
        ((3840, 2160), 4214),
        ((1700, 2200), 4161),
        ((20_000, 20_000), 4096),
        ((1, 1), 1),
        ((20_000, 10), 256),
    ],
)
def test_pictures_cost_what_the_preprocessor_makes_of_them(
    size: tuple[int, int], tokens: int
) -> None:
    assert picture_tokens(*size) == tokens
    assert picture_tokens(*fitted_size(*size)) == pytest.approx(tokens, rel=0.02)


def test_films_cost_by_chunks_of_four_frames() -> None:
    assert video_tokens(640, 360, 60) == 9_270
    assert video_tokens(1280, 720, 60) == 32_550
    assert video_tokens(640, 360, 0) == 309
    assert video_tokens(640, 360, 60, frames_per_second=1) == 15 * 309


def test_a_picture_without_pixels_is_an_error() -> None:
    with pytest.raises(KimiInvalidInputError, match="0x5"):
        picture_tokens(0, 5)


# --- conversations ------------------------------------------------------------------------------


def test_cost_by_kind() -> None:
    @tool
    def look(n: int) -> str:
        """Look at something."""
        return str(n)

    messages = [
        SystemMessage("Be brief."),
        HumanMessage([{"type": "text", "text": "What is this?"}, picture()]),
        *call(0, thought="Let me look at it closely."),
    ]
    cost = context_cost(messages, tools=[look])
    assert cost.text == sum(map(estimate_tokens, ("Be brief.", "What is this?", "done")))
    assert cost.media == 414 + 6
    assert cost.reasoning == estimate_tokens("Let me look at it closely.")
    assert cost.tool_calls > 0
    assert cost.tools > estimate_tokens("Look at something.")
    assert cost.window == 262_144
    assert cost.left == cost.window - cost.total
    assert context_cost([], model="kimi-k3").window == 1_048_576
    assert estimate_messages(messages) == context_cost(messages).total


def test_reasoning_counts_while_it_is_sent() -> None:
    thought = "Reasons. " * 200
    loop: list[BaseMessage] = [HumanMessage("go"), *call(0, thought=thought)]
    answered = [*loop, AIMessage("ok", additional_kwargs={"reasoning_content": thought})]
    expected = estimate_tokens(thought)
    assert context_cost(loop).reasoning == expected
    assert context_cost(answered).reasoning == 0
    assert context_cost(answered, preserve_thinking=True).reasoning == 2 * expected


def test_reasoning_in_a_block_is_counted_once() -> None:
    block: list[str | dict[Any, Any]] = [
        {"type": "reasoning", "reasoning": "Hm, " * 50},
        {"type": "text", "text": "ok"},
    ]
    calls = [{"name": "look", "args": {}, "id": "functions.look:0"}]
    alone = AIMessage(block, tool_calls=calls)
    both = AIMessage(block, tool_calls=calls, additional_kwargs={"reasoning_content": "Hm, " * 50})
    assert context_cost([alone]).reasoning == context_cost([both]).reasoning > 0
    assert context_cost([alone]).text == estimate_tokens("ok")


def test_blocks_of_every_kind_count() -> None:
    def media(block: dict[str, Any]) -> int:
        return context_cost([HumanMessage([block])]).media

    assert media({"type": "image", "url": "https://x.test/a.png"}) == 2_000 + 6
    assert media({"type": "video", "file_id": "f"}) == 30_000 + 6
    assert media(picture(1920, 1080)) == 2_691 + 6
    text = context_cost([HumanMessage([{"type": "text-plain", "text": "hello there"}])])
    assert (text.text, text.media) == (estimate_tokens("hello there"), 0)
    odd = context_cost([HumanMessage([{"type": "odd", "value": "hello there"}])])
    assert odd.text > estimate_tokens("hello there")


def test_a_request_body_costs_about_what_its_messages_do() -> None:
    messages = [
        SystemMessage("Be brief. " * 50),
        HumanMessage([{"type": "text", "text": "Look. " * 50}, picture()]),
        *call(0, thought="I look. " * 50, answer="A cat. " * 50),
    ]
    body = {
        "messages": [
            {"role": "system", "content": "Be brief. " * 50},
            {"role": "user", "content": [{"type": "text", "text": "Look. " * 50}, picture()]},
            {
                "role": "assistant",
                "reasoning": "I look. " * 50,
                "reasoning_content": "I look. " * 50,
                "tool_calls": [{"id": "functions.look:0", "type": "function",
                                "function": {"name": "look", "arguments": '{"n": 0}'}}],
            },
            {"role": "tool", "tool_call_id": "functions.look:0", "content": "A cat. " * 50},
        ]
    }  # fmt: skip
    assert estimate_request(body) == pytest.approx(estimate_messages(messages), rel=0.01)
    assert estimate_request({"messages": []}) == 0
    tools = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
    assert estimate_request({"messages": [], "tools": tools}) > 5


# --- trimming -----------------------------------------------------------------------------------


def conversation() -> list[BaseMessage]:
    return [
        SystemMessage("Be brief."),
        HumanMessage("first " * 100, id="h1"),
        *call(0, answer="result " * 100),
        AIMessage("answer " * 100, id="a1"),
        HumanMessage("second " * 100, id="h2"),
        AIMessage("answer " * 100, id="a2"),
        HumanMessage("third", id="h3"),
        *call(1, thought="old thought " * 20, answer="old " * 200),
        *call(2, thought="new thought " * 20, answer="new " * 200),
    ]


def test_what_fits_stays() -> None:
    messages = conversation()
    kept = trim(messages, 100_000)
    assert kept == messages
    assert kept is not messages


def test_the_oldest_turns_go_first() -> None:
    messages = conversation()
    before = copy.deepcopy(messages)
    whole = estimate_messages(messages)
    kept = trim(messages, whole - 50)
    assert kept == [messages[0], *messages[5:]]
    assert trim(messages, whole - 450) == [messages[0], *messages[7:]]
    assert messages == before


def test_then_the_oldest_exchanges_of_the_running_loop() -> None:
    messages = conversation()
    kept = trim(messages, 400)
    assert kept == [messages[0], messages[7], *messages[-2:]]
    assert isinstance(kept[2], AIMessage)
    assert "new thought" in kept[2].additional_kwargs["reasoning_content"]
    assert trim(messages, 1) == kept


def test_tools_take_their_share() -> None:
    messages = conversation()
    described = {"name": "big", "description": "word " * 300, "parameters": {}}
    assert trim(messages, estimate_messages(messages) + 20) == messages
    assert len(trim(messages, estimate_messages(messages) + 20, tools=[described])) < len(messages)


def test_pinned_media_stay_with_question_and_answer() -> None:
    question = HumanMessage([{"type": "text", "text": "See."}, picture(extras={"pinned": True})])
    messages = [question, *call(0, answer="r " * 500), AIMessage("A cat."), *conversation()[1:]]
    assert trim(messages, 1)[:3] == [question, messages[3], messages[-4 - 1]]


def test_pinned_results_keep_their_call() -> None:
    messages = conversation()
    messages[9] = ToolMessage(
        messages[9].content, tool_call_id="functions.look:1", additional_kwargs={"pinned": True}
    )
    kept = trim(messages, 1)
    assert kept == [messages[0], *messages[7:]]


@pytest.mark.parametrize("tokens", [0, -5])
def test_no_room_is_an_error(tokens: int) -> None:
    with pytest.raises(KimiInvalidInputError, match="max_tokens"):
        trim(conversation(), tokens)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 1.2))
def test_calls_and_results_stay_paired(seed: int, share: float) -> None:
    chance = random.Random(seed)
    messages: list[BaseMessage] = [SystemMessage("s")] if chance.random() < 0.5 else []
    for number in range(chance.randint(1, 12)):
        kind = chance.choice(["human", "call", "answer"])
        if kind == "call":
            messages += call(number, thought="t " * chance.randint(0, 40),
                             answer="r " * chance.randint(1, 200))  # fmt: skip
        else:
            made = HumanMessage if kind == "human" else AIMessage
            pinned = {"pinned": True} if chance.random() < 0.1 else {}
            messages.append(made("w " * chance.randint(1, 200), additional_kwargs=pinned))
    messages = [m.model_copy(update={"id": str(at)}) for at, m in enumerate(messages)]
    limit = max(1, int(share * estimate_messages(messages)))
    kept = trim(messages, limit)
    assert [message for message in messages if message in kept] == kept
    asked = [c["id"] for m in kept if isinstance(m, AIMessage) for c in m.tool_calls]
    assert asked == [m.tool_call_id for m in kept if isinstance(m, ToolMessage)]
    assert all(m in kept for m in messages if m.additional_kwargs.get("pinned"))
    assert messages[-1] in kept
    assert trim(kept, limit) == kept


# --- stubs --------------------------------------------------------------------------------------


def test_the_newest_media_stay() -> None:
    messages = [
        HumanMessage([{"type": "text", "text": "One."}, picture(100, 50), picture(200, 50)]),
        AIMessage("Nice."),
        HumanMessage([picture(300, 50), {"type": "image", "url": "https://x.test/a.png"}]),
    ]
    before = copy.deepcopy(messages)
    kept = stub_media(messages, keep=2)
    assert messages == before
    assert kept[1:] == messages[1:]
    assert kept[0].content == [
        {"type": "text", "text": "One."},
        {"type": "text", "text": "[image (image/png, 100x50): left out to save space]"},
        {"type": "text", "text": "[image (image/png, 200x50): left out to save space]"},
    ]
    assert stub_media(messages, keep=4) == messages
    assert stub_media(messages, keep=0)[2].content[1]["text"] == (  # type: ignore[index]
        "[image: left out to save space]"
    )


def test_pinned_media_are_not_stubbed() -> None:
    pinned = picture(extras={"pinned": True})
    messages = [
        HumanMessage([pinned, picture()]),
        HumanMessage([picture()], additional_kwargs={"pinned": True}),
    ]
    kept = stub_media(messages, keep=0)
    assert kept[0].content[0] == pinned
    assert kept[1] == messages[1]
    assert "left out" in kept[0].content[1]["text"]  # type: ignore[index]


def test_text_files_are_not_stubbed() -> None:
    message = HumanMessage([{"type": "text-plain", "text": "hello"}])
    assert stub_media([message], keep=0) == [message]
