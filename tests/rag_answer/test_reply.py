"""The model's reply, taken apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_kimi.rag.answer.reply import Cited, read_reply


def test_text_and_evidence() -> None:
    reply = read_reply(
        'Sales grew [1], mostly in the south [2].\n\nEvidence:\n[1] S3 "Oats 77 81"\n'
        "[2] S4 seen: the bar of the south\n"
    )
    assert reply.text == "Sales grew [1], mostly in the south [2]."
    assert reply.evidence == (Cited(1, 3, "Oats 77 81"), Cited(2, 4, seen="the bar of the south"))
    assert reply.missing is None


@pytest.mark.parametrize("head", ["Evidence:", "**Evidence:**", "## Evidence", "evidence:", ""])
@pytest.mark.parametrize(
    "line", ['[1] S3 "Oats 77"', "- [1]: (S3) “Oats 77”", "[1] [S3]: 'Oats 77'", "[1] S3 Oats 77"]
)
def test_it_is_read_as_models_write_it(head: str, line: str) -> None:
    reply = read_reply(f"Sales grew [1].\n\n{head}\n{line}")
    assert reply.text == "Sales grew [1]."
    assert reply.evidence == (Cited(1, 3, "Oats 77"),)


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
