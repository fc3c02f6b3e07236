"""Arguments of tool calls: what core makes of the pieces is what was meant, or nothing."""

from __future__ import annotations

import contextlib
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.utils.json import parse_partial_json

from langchain_kimi.wire.arguments import ArgumentStream, parse_arguments

from .properties import pieces_of, thorough

SCALARS = st.none() | st.booleans() | st.integers() | st.text('ab"\\/{}[]\n\t\x01é😀', max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('k"\\\n', max_size=3), inner)
    ),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text('k"\\\n{', max_size=3), VALUES, max_size=4)


def loosened(text: str) -> str:
    """Write control characters raw, as Kimi does."""
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\u0001", "\x01")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Arguments of every kind: strict, loose, twice encoded, cut, continued, rubbish."""
    text = json.dumps(
        draw(OBJECTS | VALUES),
        ensure_ascii=draw(st.booleans()),
        indent=draw(st.sampled_from([None, 1])),
    )
    if draw(st.booleans()):
        text = loosened(text)
    kind = draw(st.sampled_from(["whole", "whole", "twice", "cut", "more", "spaced", "rubbish"]))
    if kind == "twice":
        return json.dumps(text)
    if kind == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if kind == "more":
        return text + draw(st.sampled_from(["}", "]", ",", '"', "{}", " x", "\n", "\\"]))
    if kind == "spaced":
        return f" \n{text}\t "
    if kind == "rubbish":
        return draw(st.text('{}[]":,\\n1 \n', max_size=12))
    return text


def merged(pieces: list[str]) -> AIMessageChunk:
    """Let core merge the pieces as it does for whoever reads the stream."""
    first = tool_call_chunk(name="f", args="", id="i", index=0)
    later = [tool_call_chunk(name=None, args=piece, id=None, index=0) for piece in pieces]
    chunks = [AIMessageChunk("", tool_call_chunks=[chunk]) for chunk in [first, *later]]
    return chunks[0] + [*chunks[1:], AIMessageChunk("", chunk_position="last")]


def streamed(chunks: list[str]) -> tuple[list[str], str | None, str]:
    stream = ArgumentStream()
    pieces = [stream.feed(chunk) for chunk in chunks]
    assert stream.passed_on() == "".join(pieces)
    assert stream.text() == "".join(chunks)
    last, reason = stream.finish()
    return [*pieces, last], reason, stream.text()


@thorough
@given(chunks=pieces_of(texts()))
def test_core_reads_what_we_read(chunks: list[str]) -> None:
    expected, wrong = parse_arguments("".join(chunks))

    pieces, reason, _ = streamed(chunks)

    assert reason == wrong
    message = merged(pieces)
    if wrong is None:
        assert [call["args"] for call in message.tool_calls] == [expected]
        assert message.invalid_tool_calls == []
        joined = "".join(pieces)
        assert json.loads(joined or "{}") == expected  # strict: control characters are escaped
    else:
        assert message.tool_calls == []
        assert len(message.invalid_tool_calls) == 1
        assert message.invalid_tool_calls[0]["args"] == "".join(pieces)


@thorough
@given(chunks=pieces_of(texts()))
def test_any_chunking_gives_the_same(chunks: list[str]) -> None:
    text = "".join(chunks)
    once = streamed([text])

    for other in (streamed(chunks), streamed(list(text))):
        assert "".join(other[0]) == "".join(once[0])
        assert other[1] == once[1]


@thorough
@given(chunks=pieces_of(texts()))
def test_a_call_that_is_broken_off_is_never_valid(chunks: list[str]) -> None:
    stream = ArgumentStream()
    pieces = [stream.feed(chunk) for chunk in chunks]

    text = "".join([*pieces, stream.break_off()])

    for read in (parse_partial_json, json.loads):
        with contextlib.suppress(ValueError):
            assert not isinstance(read(text), dict)
    assert merged([*pieces, stream.break_off()]).tool_calls == []


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        (None, {}),
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('""', {}),
        ('{"a": "1\n2\t3"}', {"a": "1\n2\t3"}),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_arguments_as_servers_send_them(raw: Any, arguments: dict[str, Any]) -> None:
    assert parse_arguments(raw) == (arguments, None)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"a": ', "not valid JSON"),
        ("{'a': 1}", "not valid JSON"),
        ("[1]", "a JSON array; an object is needed"),
        ("1", "a JSON number; an object is needed"),
        ("true", "a JSON boolean; an object is needed"),
        ('"x"', "not valid JSON"),
        (7, "a JSON number; an object is needed"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_arguments_that_are_none(raw: Any, reason: str) -> None:
    arguments, said = parse_arguments(raw)

    assert arguments is None
    assert reason in str(said)


def test_a_backslash_outside_of_strings_escapes_nothing() -> None:
    pieces, reason, _ = streamed(["{", "\\", "["])

    assert reason is not None
    assert merged(pieces).tool_calls == []


def test_numbers_that_json_does_not_know_pass() -> None:
    arguments, reason = parse_arguments('{"a": NaN}')

    assert reason is None
    assert arguments is not None
    assert math.isnan(arguments["a"])
