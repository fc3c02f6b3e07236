"""What becomes a candidate, and in which order: parts, kinds of evidence, what stands beside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from langchain_kimi.rag import Corpus, Filter, IngestOptions
from langchain_kimi.rag.answer.retrieve import fuse, retrieve, widen
from langchain_kimi.rag.answer.sources import entry_id, load_pages
from tests.rag.pdf_writer import PdfFile

PAGES = 40
TOLD = 20


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    """A long document in which one page tells of zebras, and five others of grass."""
    folder: Path = tmp_path_factory.mktemp("book")
    file = PdfFile(title="A long book")
    for number in range(1, PAGES + 1):
        told = "The zebra is counted once." if number == TOLD else f"Chapter on item {number * 7}."
        file.page().paragraph(72, 72, [told, "Grass grows." if number > PAGES - 5 else "So it is."])
    (folder / "book.pdf").write_bytes(file.to_bytes())
    other = PdfFile(title="Another")
    other.page().paragraph(72, 72, ["Nothing in here concerns animals."])
    (folder / "other.pdf").write_bytes(other.to_bytes())
    corpus = Corpus(tmp_path_factory.mktemp("index"), ocr="none")
    corpus.ingest(folder, options=IngestOptions(workers=0))
    yield corpus
    corpus.close()


def places(corpus: Corpus, ids: list[str]) -> list[tuple[str, int]]:
    return [(one.document.path, one.page) for one in load_pages(corpus, ids)]


def test_each_part_of_a_question_is_searched_for(library) -> None:
    parts = ["apprentices", "barley", "bakery in Achim"]
    found = [(one.document.path, one.page) for one in retrieve(library, parts)]
    assert {("report.pdf", 2), ("forecast.pdf", 1), ("notes.md", 1)} <= set(found[:4])


def test_what_two_searches_find_goes_before_what_one_finds(library) -> None:
    one, two = library.search("oats", k=2), library.search("millstone", k=1)
    fused = fuse([(one, 1.0), ([two[0], one[1]], 1.0)])
    assert entry_id(fused[0]) == entry_id(one[1])
    assert len(fused) == 3
    assert fuse([(one, 0.5), (two, 1.0)])[0].document.path == "talk.mp4"


@pytest.mark.parametrize(("kind", "path"), [("table", "report.pdf"), ("video", "talk.mp4")])
def test_the_kind_of_evidence_counts(library, kind, path) -> None:
    def score(*evidence: str) -> float:
        question = ["oats turns 2023 deliveries"]
        found = retrieve(library, question, evidence=evidence)  # type: ignore[arg-type]
        return max(one.score for one in found if one.document.path == path)

    assert score(kind) > score()


def test_regions_that_match_come_with_their_page(library) -> None:
    (first, *_) = widen(library, retrieve(library, ["Sales of flour in tonnes, oats"]))
    assert places(library, [first.id]) == [("report.pdf", 3)]
    assert any(box.height > 50 for box in first.crops)


def test_neighbours_follow_the_best_then_the_rest_of_the_document(book) -> None:
    found = retrieve(book, ["the zebra is counted once, grass"])
    ranked = widen(book, found)
    shown = places(book, [one.id for one in ranked])
    assert len(found) == 6
    assert shown[0] == ("book.pdf", TOLD)
    assert {("book.pdf", TOLD - 1), ("book.pdf", TOLD + 1)} <= set(shown[6:14])
    assert len(set(shown)) == len(shown) == PAGES
    assert ("other.pdf", 1) not in shown


def test_a_small_corpus_is_shown_whole_when_hardly_anything_is_found(book) -> None:
    ranked = widen(book, retrieve(book, ["What is this about?"]))
    assert len({one.id for one in ranked}) == PAGES + 1


def test_conditions_hold_for_what_is_added(book) -> None:
    pages = Filter(pages=(TOLD, TOLD))
    assert len(widen(book, retrieve(book, ["zebra"], where=pages), pages)) == 1
    paths = Filter(paths=("other.pdf",))
    only = widen(book, retrieve(book, ["zebra"], where=paths), paths)
    assert places(book, [one.id for one in only]) == [("other.pdf", 1)]
    assert widen(book, [], replace(paths, paths=("nowhere",))) == []
