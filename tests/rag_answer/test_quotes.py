"""Quotes: found however they are set, and not when a word or number differs."""

# ruff: noqa: RUF001  typographic marks are what is tested

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.rag.answer.quotes import locate, numbers_of, tokens_of, whole_words

TEXT = (
    "3. Results\nThe mill’s revenue rose to $1,250.5 million (+5 %) in 2023, after a fall\n"
    "of -3 % in 2022. | Oats | 77 | 81 |\nThe ﬁrst storehouse – in Verden – is 東京都の倉庫."
)


@pytest.mark.parametrize(
    "quote",
    [
        "revenue rose to $1,250.5 million",
        "REVENUE  rose\nto $1,250.5 million",
        "after a fall of −3 % in 2022",
        "Oats 77 81",
        "| Oats | 77 | 81 |",
        "The first storehouse",
        "mill's revenue … in 2023",
        "東京都の倉庫",
        "81",
    ],
)
def test_it_is_found(quote: str) -> None:
    assert locate(quote, TEXT)


@pytest.mark.parametrize(
    "quote",
    [
        "revenue rose to $1,250.6 million",
        "after a fall of 3 % in 2022",
        "revenue rose to €1,250.5 million",
        "Oats 81 77",
        "in 2023 … revenue rose",
        "revenue rose to $1,250.5 million in 2023",
        "the",
        "a",
        "",
        "…",
        "大阪",
    ],
)
def test_it_is_not_found(quote: str) -> None:
    assert not locate(quote, TEXT)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("Der Sonderzug fährt", "Der Sonder\u00adzug fährt um neun"),
        ("the database cluster", "the data\u200bbase cluster runs"),
        ("Le café coûte cher", "Le cafe\u0301 cou\u0302te cher ici"),
        ("Le cafe\u0301 cou\u0302te cher", "Le café coûte cher ici"),
        ("السعر هو 240 يورو", "السِّعر هو ٢٤٠ يورو للطن"),
        ("السعر", "السـعر هو"),
        ("שָׁלוֹם עולם", "שלום עולם"),
        ("ราคาข้าว", "ราคาข้าวโอ๊ต"),
        ("हिन्दी में मूल्य", "यह हिन्दी में मूल्य है"),
        ("geübt heute", "wird ge-\nübt heute"),
        ("общее производство овса", "Общее произ-\nводство овса"),
    ],
)
def test_it_is_found_in_every_script(quote: str, text: str) -> None:
    assert locate(quote, whole_words(text))
    if "-\n" not in text:
        assert locate(quote, text)


@pytest.mark.parametrize(
    ("quote", "text"),
    [
        ("Le cafe coûte", "Le café coûte cher"),
        ("السعر هو 241", "السعر هو ٢٤٠ يورو"),
        ("ราคาขาว", "ราคาข้าวโอ๊ต"),
    ],
)
def test_another_word_is_not_found_in_any_script(quote: str, text: str) -> None:
    assert not locate(quote, text)


def test_the_span_is_what_stands_on_the_page() -> None:
    ((start, end),) = locate("oats 77 81", TEXT)
    assert TEXT[start:end] == "Oats | 77 | 81"


def test_words_cut_by_a_line_break() -> None:
    assert locate("the apprenticeship lasts", whole_words("The apprentice-\nship lasts"))


def test_numbers_of_a_claim() -> None:
    assert numbers_of("It rose by 1,250.5 to 81 (-3 %).") == {"1250.5", "81", "3"}


@given(st.text(), st.text())
def test_a_part_of_a_text_is_found_in_it(before: str, after: str) -> None:
    text = f"{before} seventy-seven 1,234 tonnes {after}"
    assert locate("seventy-seven 1,234 tonnes", text)


@given(st.text())
def test_tokens_point_into_the_text(text: str) -> None:
    assert all(0 <= token.start < token.end <= len(text) for token in tokens_of(text))
