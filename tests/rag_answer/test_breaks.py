"""Quotes that run on over a page break."""

from __future__ import annotations

import pytest

from langchain_kimi.rag import Corpus, IngestOptions
from langchain_kimi.rag.answer import EvidenceBudget, pack
from langchain_kimi.rag.answer.breaks import over_break
from langchain_kimi.rag.answer.candidates import candidate_of
from langchain_kimi.rag.answer.check import check
from langchain_kimi.rag.answer.reply import read_reply
from langchain_kimi.rag.answer.sources import as_found, load_sources
from tests.rag.pdf_writer import PdfFile

BEFORE = "A first line. In the dry summer the river fell so low that\n12 | Mill of Verden"
AFTER = "Annual report 2023\nthe wheel stood still for nine weeks. A last line of the page."
QUOTE = "the river fell so low that the wheel stood still for nine weeks"


def test_it_is_parted_where_the_page_ends() -> None:
    assert over_break(QUOTE, BEFORE, AFTER) == (
        "the river fell so low that", "the wheel stood still for nine weeks",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("quote", "before", "after"),
    [
        (QUOTE.replace("nine", "ten"), BEFORE, AFTER),
        (QUOTE, AFTER, BEFORE),
        (QUOTE, BEFORE, "word " * 90 + AFTER),
        (QUOTE, BEFORE + " word" * 90, AFTER),
        ("fell a", "it fell", "a wheel"),
        (QUOTE, "", AFTER),
        ("", BEFORE, AFTER),
        ("so low that " * 100 + QUOTE, BEFORE, AFTER),
    ],
)
def test_words_that_do_not_meet_are_no_quote(quote: str, before: str, after: str) -> None:
    assert over_break(quote, before, after) is None


def test_both_pages_are_cited(tmp_path) -> None:
    file = PdfFile(title="Mill")
    for text in (BEFORE, AFTER):
        file.page().paragraph(72, 72, text.split("\n"))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mill.pdf").write_bytes(file.to_bytes())
    corpus = Corpus(tmp_path / "index", ocr="none")
    corpus.ingest(tmp_path / "docs", options=IngestOptions(workers=0))
    pages = as_found(corpus, corpus.store.units(corpus.namespace, level="page"))
    packed = pack([candidate_of(one) for one in pages], EvidenceBudget())
    sources = load_sources(corpus, packed.slots)
    reply = read_reply(f'The wheel stood still [1].\n\nEvidence:\n[1] S1 "{QUOTE}"')

    checked = check(corpus, reply, sources)
    assert checked.text == "The wheel stood still [1][2]."
    assert [(one.page, one.quote) for one in checked.citations] == [
        (1, "the river fell so low that"), (2, "the wheel stood still for nine weeks"),
    ]  # fmt: skip
    assert all(one.box is not None for one in checked.citations)
    assert checked.claims[0].confidence == "high"

    alone = check(corpus, reply, sources[:1])
    assert not alone.citations
    assert [one.reason for one in alone.dropped] == ["not on its page"]
    corpus.close()
