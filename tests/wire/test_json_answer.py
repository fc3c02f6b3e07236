"""The JSON in an answer is found behind fences and remarks, however the answer is cut."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from langchain_kimi.wire.json_answer import JsonFilter

from .properties import pieces_of, thorough

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\{}[]` \n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text('k"{', max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)
ANSWERS = st.dictionaries(st.text("ab{"), VALUES, max_size=3).map(json.dumps) | st.lists(
    st.dictionaries(st.just("a"), VALUES, min_size=1), min_size=1, max_size=2
).map(lambda value: json.dumps(value, indent=1))
BEFORE = st.sampled_from(
    ["", "\n", "```json\n", "Here is it: ", "See [1] and {name}: ", "[draft] "]
)
AFTER = st.sampled_from(["", "\n```", "\nAs {asked}.", ' {"a": 1}', "]"])


def filtered(*pieces: str) -> str:
    json_filter = JsonFilter()
    return "".join([*map(json_filter.feed, pieces), json_filter.finish()])


@thorough
@given(answer=ANSWERS, before=BEFORE, after=AFTER)
def test_the_answer_comes_out(answer: str, before: str, after: str) -> None:
    assert filtered(before + answer + after) == answer


@thorough
@given(
    pieces=pieces_of(
        st.builds("{}{}{}".format, BEFORE, ANSWERS, AFTER) | st.text('{}[]"\\a \n', max_size=20)
    )
)
def test_any_chunking_gives_the_same(pieces: list[str]) -> None:
    text = "".join(pieces)

    assert filtered(*pieces) == filtered(text)
    assert filtered(*text) == filtered(text)


@thorough
@given(text=st.text("ab .,[]{}1:'", max_size=20))
def test_a_text_without_json_is_kept_whole(text: str) -> None:
    assume(not re.search(r"[\[{]\s*[\[{}]", text))

    assert filtered(text) == text


@pytest.mark.parametrize(
    "text", ["", " ", "Paris", '"Paris"', "null", "{name: 'x'}", "[1, 2]", "{ "]
)
def test_what_is_no_strict_object_is_left_to_the_reader(text: str) -> None:
    assert filtered(text) == text


def test_an_answer_that_was_cut_comes_out_cut() -> None:
    assert filtered('Sure: {"a": [1, {"b": "}') == '{"a": [1, {"b": "}'
