"""Questions: words, pages, items, tenants, filters, vectors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings

from langchain_kimi.rag import (
    Box,
    Corpus,
    CorpusRetriever,
    Filter,
    IndexMismatchError,
    IngestOptions,
    StaleFileError,
    UnsupportedFileError,
    picture_of,
)
from langchain_kimi.rag.references import item_refs, page_refs
from langchain_kimi.rag.retrieve.question import read_question
from langchain_kimi.rag.retrieve.search import clock
from langchain_kimi.rag.text import tokens
from tests.rag.conftest import Make, annual_report

HERE = IngestOptions(workers=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "boats.md").write_text(
        "# Boats\n\nThe ferry carries flour over the Aller.\n\n## Rudders\n\nOak rudders last.\n"
    )
    return folder


@pytest.fixture
def corpus(folder: Path, make_corpus: Make) -> Corpus:
    corpus = make_corpus()
    corpus.ingest(folder, options=HERE)
    return corpus


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("How many apprentices work at the mills?", 2),
        ("How many tonnes of spelt were sold in 2023?", 3),
        ("What does Table 1 list?", 3),
        ("Which bar is the highest in Figure 2?", 4),
        ("What is the title on the first page?", 1),
        ("What is drawn on page 4 of the report?", 4),
        ("What stands on the last page of the mill's report?", 4),
    ],
)
def test_the_page_with_the_answer_comes_first(corpus: Corpus, question: str, page: int) -> None:
    found = corpus.search(question, k=3)[0]
    assert (found.document.path, found.page) == ("report.pdf", page)


def test_a_find_says_where_it_came_from(corpus: Corpus, folder: Path) -> None:
    found = corpus.search("tonnes of oats", k=1)[0]
    assert found.place == "report.pdf, page 3"
    assert found.page_size == (612.0, 792.0)
    assert len(found.document.sha256) == 64
    table = next(region for region in found.regions if region.kind == "table")
    assert table.caption == "Table 1: Sales of flour in tonnes"
    assert table.box is not None
    assert table.headings[-1] == "3. Results"


def test_regions_come_best_first(corpus: Corpus) -> None:
    scores = [region.score for region in corpus.search("tonnes of oats", k=1)[0].regions]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("where", "paths"),
    [
        (Filter(paths=("*.md",)), {"boats.md"}),
        (Filter(media_types=("application/pdf",)), {"report.pdf"}),
        (Filter(after="2024-01-01"), {"report.pdf"}),
        (Filter(kinds=("table",)), {"report.pdf"}),
        (Filter(paths=("nothing*",)), set()),
    ],
)
def test_filters_hold(corpus: Corpus, where: Filter, paths: set[str]) -> None:
    hits = corpus.search("flour of rye in tonnes on the river Aller", k=10, where=where)
    assert {found.document.path for found in hits} == paths


def test_a_filter_on_one_document_ranks_all_its_pages(corpus: Corpus) -> None:
    name = next(record.id for record in corpus.documents() if record.path == "report.pdf")
    hits = corpus.search("zebra", k=10, where=Filter(documents=(name,)))
    assert {found.page for found in hits} == {1, 2, 3, 4}


def test_a_tenant_never_sees_another(folder: Path, make_corpus: Make, tmp_path: Path) -> None:
    mine, theirs = make_corpus(namespace="mine"), make_corpus(namespace="theirs")
    mine.ingest(folder, options=HERE)
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (secret / "plan.md").write_text("# Plan\n\nThe takeover is set for Monday. page 1 Table 1")
    theirs.ingest(secret, options=HERE)
    name = next(record.id for record in theirs.documents() if record.path == "plan.md")
    for where in (None, Filter(documents=(name,)), Filter(paths=("*",))):
        for question in ("takeover on Monday", "What is on page 1?", "Table 1"):
            for found in mine.search(question, k=50, where=where):
                assert found.document.path in {"report.pdf", "boats.md"}
                assert "takeover" not in found.text
    assert theirs.ingest(secret, options=HERE).count("unchanged") == 2
    assert mine.stats().documents == 2


def test_an_empty_namespace_and_no_pages_are_refused(make_corpus: Make) -> None:
    with pytest.raises(ValueError, match="namespace is empty"):
        make_corpus(namespace="")
    with pytest.raises(ValueError, match="at least one page"):
        make_corpus().search("x", k=0)


def test_questions_without_words_or_in_odd_scripts_find_or_find_not(corpus: Corpus) -> None:
    for question in ("", "???", "the of and", '"; DROP TABLE units; --', "面粉", "\x00"):
        assert isinstance(corpus.search(question), list)
    assert corpus.stats().documents == 2


class Letters(Embeddings):
    """Counts letters: texts with the same letters are near."""

    def __init__(self, model: str = "letters", size: int = 26) -> None:
        self.model, self.size = model, size

    def embed_query(self, text: str) -> list[float]:
        return [text.lower().count(chr(97 + index)) + 0.01 for index in range(self.size)]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


def test_vectors_find_what_no_word_matches(folder: Path, make_corpus: Make) -> None:
    corpus = make_corpus(embeddings=Letters())
    corpus.ingest(folder, options=HERE)
    assert corpus.stats().vectors > 5
    found = corpus.search("sredduroakstal", k=1)[0]
    assert found.document.path == "boats.md"


def test_an_index_opened_with_another_model_says_so(folder: Path, make_corpus: Make) -> None:
    make_corpus(embeddings=Letters()).ingest(folder, options=HERE)
    with pytest.raises(IndexMismatchError, match="ingest into a new index"):
        make_corpus(embeddings=Letters("other")).search("x")
    with pytest.raises(IndexMismatchError, match="26 dimensions"):
        make_corpus(embeddings=Letters(size=20)).search("x")


def test_page_references() -> None:
    assert page_refs("What is on page 12?") == ["label:12", "page:12"]
    assert page_refs("slide three") == ["label:3", "page:3"]
    assert page_refs("pages 3-5") == [f"{k}:{n}" for n in (3, 4, 5) for k in ("label", "page")]
    assert page_refs("the second page, the last page") == ["page:2", "page:last"]
    assert page_refs("in the page header") == []


def test_item_references() -> None:
    assert item_refs("see Figure 2 and Table II") == ["item:figure:2", "item:table:2"]
    assert item_refs("Fig. 3: the mill", leading=True) == ["item:figure:3"]
    assert item_refs("In Fig. 3", leading=True) == []
    assert item_refs("Table1-1 lists") == ["item:table:1-1"]
    assert item_refs("a table a cook needs") == []


def test_how_to_answer_is_no_part_of_the_search() -> None:
    question = read_question("Who runs the mill? Please write the answer in list format.")
    assert question.words == ("run", "mill")


@pytest.mark.parametrize("words", ["report ", "return a list ", "page ", "pages 1, ", "1-", " "])
def test_a_pasted_text_takes_time_by_its_length(words: str) -> None:
    # by the square of it, this would take hours
    read_question(words * (200_000 // len(words)))


def test_tokens_fold_stem_and_split_scripts() -> None:
    assert tokens("The mills' Sales were 1,200.5 tonnes") == ["mill", "sale", "1200.5", "tonn"]
    assert tokens("面粉厂") == ["面粉", "粉厂"]
    assert tokens("ﬁgure") == tokens("figure")


def test_clock() -> None:
    assert [clock(5.9), clock(65), clock(3_725)] == ["00:05", "01:05", "1:02:05"]


def test_a_retriever_returns_pages_with_their_places(corpus: Corpus) -> None:
    documents = CorpusRetriever(corpus=corpus, k=1).invoke("tonnes of oats")
    assert [document.metadata["place"] for document in documents] == ["report.pdf, page 3"]
    assert documents[0].metadata["regions"][0]["box"] is not None
    only = Filter(paths=("*.md",))
    documents = CorpusRetriever(corpus=corpus, where=only).invoke("flour")
    assert {document.metadata["source"] for document in documents} == {"boats.md"}


def test_what_was_found_can_be_drawn(corpus: Corpus) -> None:
    found = corpus.search("tonnes of oats", k=1)[0]
    table = next(region for region in found.regions if region.kind == "table")
    assert picture_of(found, dpi=72).size == (612, 792)
    crop = picture_of(found, box=table.box)
    assert table.box is not None
    assert crop.width == pytest.approx(2 * table.box.width, abs=2)
    with pytest.raises(ValueError, match="outside the page"):
        picture_of(found, box=Box(700, 0, 800, 10))
    text = corpus.search("ferry", k=1)[0]
    with pytest.raises(UnsupportedFileError, match="use its text"):
        picture_of(text)


def test_threads_draw_pages_at_the_same_time(corpus: Corpus) -> None:
    found = [*corpus.search("Birch Mills report tonnes orders apprentices", k=4)] * 10
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(partial(picture_of, dpi=36), found))
    assert {picture.size for picture in pictures} == {(306, 396)}


def test_a_changed_file_is_not_drawn(corpus: Corpus, folder: Path) -> None:
    found = corpus.search("tonnes of oats", k=1)[0]
    (folder / "report.pdf").write_bytes(b"other")
    with pytest.raises(StaleFileError, match="has changed since"):
        picture_of(found)
    (folder / "report.pdf").unlink()
    with pytest.raises(StaleFileError, match="is gone"):
        picture_of(found)
