"""Kimi's own markup in content and reasoning: found, read, and the same for any chunking."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.wire.markers import MarkerScanner, RawCall, Span, read_header

from .properties import pieces_of, thorough

PIECES = st.sampled_from(
    [
        "<|tool_calls_section_begin|>",
        "<|tool_call_section_begin|>",
        "<|tool_calls_section_end|>",
        "<|tool_call_section_end|>",
        "<|tool_call_begin|>",
        "<|tool_call_argument_begin|>",
        "<|tool_call_end|>",
        "<think>",
        "</think>",
        "functions.f:0",
        "functionsf1",
        '{"x": 1}',
        '{"x": "<b>"}',
        "<|tool_call",
        "<",
        "|>",
        "Hello",
        " ",
        "\n",
        "",
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


def scanned(
    *chunks: str, channel: str = "content", wait: bool = False
) -> tuple[list[object], bool]:
    """Scan the chunks; neighbouring runs of one kind are one run."""
    scanner = MarkerScanner(channel, await_think_end=wait)  # type: ignore[arg-type]
    found = [piece for chunk in chunks for piece in scanner.feed(chunk)]
    found += scanner.finish()
    merged: list[object] = []
    for piece in found:
        last = merged[-1] if merged else None
        if isinstance(piece, Span) and isinstance(last, Span) and piece.kind == last.kind:
            merged[-1] = Span(piece.kind, last.text + piece.text)
        else:
            merged.append(piece)
    return merged, scanner.stray_think_end


@thorough
@given(
    pieces=pieces_of(TEXTS), channel=st.sampled_from(["content", "reasoning"]), wait=st.booleans()
)
def test_any_chunking_gives_the_same(pieces: list[str], channel: str, wait: bool) -> None:
    text = "".join(pieces)
    once = scanned(text, channel=channel, wait=wait)

    assert scanned(*pieces, channel=channel, wait=wait) == once
    assert scanned(*text, channel=channel, wait=wait) == once


@thorough
@given(text=TEXTS, channel=st.sampled_from(["content", "reasoning"]), wait=st.booleans())
def test_no_word_vanishes(text: str, channel: str, wait: bool) -> None:
    pieces, _ = scanned(text, channel=channel, wait=wait)

    seen = " ".join(
        piece.text if isinstance(piece, Span) else f"{piece.header} {piece.arguments}"
        for piece in pieces
        if isinstance(piece, Span | RawCall)
    )
    for word in ("Hello", "functions.f:0", "functionsf1", '{"x": 1}'):
        assert seen.count(word) == text.count(word)


@given(text=st.text("ab<|>{}/ thinkTool_\n"), wait=st.booleans())
@thorough
def test_text_without_markers_is_left_alone(text: str, wait: bool) -> None:
    if "think>" in text:
        return
    assert scanned(text, wait=wait)[0] == ([Span("text", text)] if text else [])


@pytest.mark.parametrize("word", ["tool_calls_section", "tool_call_section"])
@pytest.mark.parametrize("channel", ["content", "reasoning"])
def test_a_section_in_plural_and_singular(word: str, channel: str) -> None:
    text = (
        f"I look.<|{word}_begin|>"
        "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>\n"
        '<|tool_call_begin|>functions.g:1<|tool_call_argument_begin|>{"x": 1}<|tool_call_end|>'
        f"<|{word}_end|>Done."
    )
    kind = "text" if channel == "content" else "think"

    assert scanned(text, channel=channel)[0] == [
        Span(kind, "I look."),
        RawCall("functions.f:0", "{}"),
        RawCall("functions.g:1", '{"x": 1}'),
        Span(kind, "Done."),
    ]


def test_calls_without_a_section() -> None:
    one = "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>"

    pieces = [
        RawCall("functions.f:0", "{}"),
        RawCall("functions.f:0", "{}"),
        Span("text", "\n Well."),
    ]
    assert scanned(f"{one}\n{one}\n Well.")[0] == pieces
    assert scanned(one, "\n", one, "\n", " ", "Well.")[0] == pieces


def test_a_call_without_an_argument_marker() -> None:
    assert scanned('<|tool_call_begin|>functions.f:0{"x": 1}<|tool_call_end|>')[0] == [
        RawCall("functions.f:0", '{"x": 1}')
    ]


def test_a_call_that_the_end_of_the_reply_closes() -> None:
    text = '<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{"x": 1}'

    assert scanned(text)[0] == [RawCall("functions.f:0", '{"x": 1}', closed=False)]


@pytest.mark.parametrize(
    "text",
    [
        "<|tool_call_begin|>functions.f:0",
        "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>",
        "<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|> \n",
        "<|tool_call_begin|>functions.f:0<|tool_call_argu",
        "<|tool_call_begin|>func",
    ],
)
def test_a_call_that_was_cut_before_its_arguments(text: str) -> None:
    (piece,), _ = scanned(text)

    assert isinstance(piece, RawCall)
    assert not piece.closed


def test_thoughts_in_tags() -> None:
    assert scanned("<think>hm</think>Yes.")[0] == [Span("think", "hm"), Span("text", "Yes.")]
    assert scanned("\n <think>hm</think>Yes.")[0] == [
        Span("text", "\n "),
        Span("think", "hm"),
        Span("text", "Yes."),
    ]


def test_a_tag_in_the_middle_of_an_answer_is_text() -> None:
    assert scanned("The tag <think> opens.")[0] == [Span("text", "The tag <think> opens.")]


def test_a_call_inside_thoughts_ends_them() -> None:
    text = (
        "<think>hm<|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{}<|tool_call_end|>x"
    )

    assert scanned(text)[0] == [
        Span("think", "hm"),
        RawCall("functions.f:0", "{}"),
        Span("text", "x"),
    ]


def test_thoughts_without_an_opening_tag() -> None:
    assert scanned("hm</think>Yes.", wait=True) == (
        [Span("think", "hm"), Span("text", "Yes.")],
        True,
    )
    assert scanned("Yes.", wait=True) == ([Span("text", "Yes.")], False)


def test_waiting_for_the_end_of_thoughts_loses_nothing_before_a_tag() -> None:
    text = "Write <think> before it."

    assert scanned(text, wait=True)[0] == [Span("text", text)]


@pytest.mark.parametrize(
    ("header", "name", "id_"),
    [
        ("functions.get_weather:0", "get_weather", "functions.get_weather:0"),
        ("functions.get_weather:12", "get_weather", "functions.get_weather:12"),
        (" functions.get_weather:0\n", "get_weather", "functions.get_weather:0"),
        ("functions.get_ weather:0", "get_weather", "functions.get_weather:0"),
        ("get_weather:0", "get_weather", None),
        ("get_weather", "get_weather", None),
        ("functionsget_weather5", "get_weather", None),
        ("functions.get_weather5", "get_weather", None),
        ("functions:get_weather:5", "get_weather", None),
        ("functions.v2:0", "v2", "functions.v2:0"),
        ("functionsv23", "v2", None),
        ("functions_of_x:0", "functions_of_x", None),
        ("functions.unheard_of:3", "unheard_of", "functions.unheard_of:3"),
        ("", "", None),
    ],
)
def test_headers(header: str, name: str, id_: str | None) -> None:
    assert read_header(header, {"get_weather", "v2", "functions_of_x"}) == (name, id_)
