"""The model's reply, taken apart."""

# ruff: noqa: RUF001  typographic marks are what is tested

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.rag.answer.reply import Cited, Reply, read_reply


def test_text_and_evidence() -> None:
    reply = read_reply(
        'Sales grew [1], mostly in the south [2].\n\nEvidence:\n[1] S3 "Oats 77 81"\n'
        "[2] S4 seen: the bar of the south\n"
    )
    assert reply.text == "Sales grew [1], mostly in the south [2]."
    assert reply.evidence == (Cited(1, 3, "Oats 77 81"), Cited(2, 4, seen="the bar of the south"))
    assert reply.missing is None


@pytest.mark.parametrize(
    "head", ["Evidence:", "**Evidence:**", "## Evidence", "evidence:", "", "证据："]
)
@pytest.mark.parametrize(
    "line", ['[1] S3 "Oats 77"', "- [1]: (S3) “Oats 77”", "[1] [S3]: 'Oats 77'", "[1] S3 Oats 77"]
)
def test_it_is_read_as_models_write_it(head: str, line: str) -> None:
    reply = read_reply(f"Sales grew [1].\n\n{head}\n{line}")
    assert reply.text == "Sales grew [1]."
    assert reply.evidence == (Cited(1, 3, "Oats 77"),)


@pytest.mark.parametrize(
    ("listed", "quotes"),
    [
        ('Evidence: [1] S3 "Oats 77"', ["Oats 77"]),
        ('Evidence:\n[1] S3, page 3: "Oats 77"', ["Oats 77"]),
        ('Evidence:\n[1] S3 (report.pdf, page 3) "Oats 77"', ["Oats 77"]),
        ('Evidence:\n[1] S3 "Oats\n77"\n[2] S4 "Rye"', ["Oats\n77", "Rye"]),
        ('Evidence:\n[1] S3 "Oats 77"; [2] S4 "Rye"', ["Oats 77", "Rye"]),
        ('Evidence:\n[1] S3 "Oats 77\n[2] S4 "Rye"', ['"Oats 77', "Rye"]),
        ('Evidence:\n【1】 S3 "Oats 77"', ["Oats 77"]),
        ('Evidence:\n[1] S3 In 2023 "Verden" was first', ['In 2023 "Verden" was first']),
        ("The evidence: [1] is thin.", []),
    ],
)
def test_evidence_is_read_as_models_set_it(listed: str, quotes: list[str]) -> None:
    reply = read_reply(f"Sales grew [1].\n\n{listed}")
    assert [cited.quote for cited in reply.evidence] == quotes
    assert (reply.text == "Sales grew [1].") is bool(quotes)


def test_what_is_seen_may_hold_a_quotation() -> None:
    reply = read_reply('Open [1].\n\nEvidence:\n[1] S2 seen: the sign of 2023: "OPEN"')
    assert reply.evidence == (Cited(1, 2, seen='the sign of 2023: "OPEN'),)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("[1] Oats rose to 81 tonnes.", "Oats rose to 81 tonnes. [1]"),
        ("- [1][2] Oats rose.\n- Rye fell [3].", "- Oats rose. [1][2]\n- Rye fell [3]."),
        ("Oats rose ([1], [2]).", "Oats rose [1], [2]."),
        ("燕麦增至81吨【1】。", "燕麦增至81吨[1]。"),
        ("Rows [1] and [2] add up.", "Rows [1] and [2] add up."),
    ],
)
def test_marks_stand_behind_their_statements(written: str, text: str) -> None:
    assert read_reply(f'{written}\n\nEvidence:\n[1] S3 "Oats"').text == text


@pytest.mark.parametrize("piece", ['[1] S3 "Oats\n', "[1] ", "([1]", "evidence: ", '[1] S3 x: "'])
def test_endless_repetition_takes_no_endless_time(piece: str) -> None:
    assert isinstance(read_reply(piece * 20_000), Reply)


def test_a_quote_with_quotation_marks_in_it() -> None:
    reply = read_reply('He said so [1].\nEvidence:\n[1] S2 "the "old" mill"')
    assert reply.evidence[0].quote == 'the "old" mill'


def test_what_is_missing() -> None:
    reply = read_reply("NOT IN THE DOCUMENTS: the price of barley")
    assert (reply.text, reply.missing) == ("", "the price of barley")
    reply = read_reply(
        'Oats cost 240 [1].\n\n**NOT IN THE DOCUMENTS:** barley\n\nEvidence:\n[1] S1 "oats 240"'
    )
    assert reply.text == "Oats cost 240 [1]."
    assert reply.missing == "barley"


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    reply = read_reply(text)
    assert all(cited.number >= 0 for cited in reply.evidence)
