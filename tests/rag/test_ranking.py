"""What lifts a page: names of documents, photographs, slides, neighbours, words of good pages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from langchain_kimi.rag import Box, Corpus, Filter, IngestOptions, Weights
from langchain_kimi.rag.index.records import Unit
from langchain_kimi.rag.ingest.pdf import parse_pdf
from langchain_kimi.rag.ingest.photos import photo_share
from langchain_kimi.rag.retrieve.candidates import Candidates
from langchain_kimi.rag.retrieve.context import add_feedback, add_neighbours
from langchain_kimi.rag.retrieve.phrases import add_pairs
from langchain_kimi.rag.retrieve.question import read_question
from langchain_kimi.rag.retrieve.signs import sign_score
from langchain_kimi.rag.text import tokens
from tests.rag.conftest import Make, annual_report, scanned
from tests.rag.pdf_writer import PdfFile

HERE = IngestOptions(workers=0)


def page(number: int, body: str = "", refs: str = "", document: str = "a") -> Unit:
    return Unit(
        id=f"{document}:{number}",
        document_id=document,
        level="page",
        kind="page",
        page=number,
        text=body,
        body=body,
        refs=refs,
    )


def candidates(units: list[Unit], scores: list[float]) -> Candidates:
    found = Candidates()
    for unit, score in zip(units, scores, strict=True):
        found.pages[unit.document_id, unit.page] = unit
        found.scores[unit.document_id, unit.page] = score
    return found


def photograph(side: int = 300) -> Image.Image:
    """Return a picture with many tones everywhere, the same each time."""
    spots = np.random.default_rng(5).integers(10, 225, (side // 5, side // 5))
    small = Image.fromarray(spots.astype(np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def test_names_are_words_with_capitals_or_digits() -> None:
    question = read_question("How did Best Buy and Costco do in FY2021 among people of 30-49?")
    assert question.names == ("best", "buy", "bestbuy", "costco", "fy", "2021", "30", "49")
    assert read_question("What is grown here?").names == ()


@pytest.mark.parametrize("text", ["FY2021", "2021FY", "Q12021", "2021Q1", "2021"])
def test_a_year_is_found_whatever_is_written_onto_it(text: str) -> None:
    assert "2021" in tokens(text)


@pytest.mark.parametrize("text", ["2021.5", "20215", "a20x21", "120210"])
def test_other_numbers_hold_no_year(text: str) -> None:
    assert "2021" not in tokens(text)


def reports(folder: Path) -> None:
    folder.mkdir()
    text = "# Report\n\nTotal liabilities were {} crowns. Total assets were higher.\n"
    for name, amount in (("AlderMills_2020_10K", 410), ("AlderMills_2021_10K", 455)):
        (folder / f"{name}.md").write_text(text.format(amount))
    (folder / "BIRCHWOOD_2021_10K.md").write_text(text.format(77))


@pytest.mark.parametrize(
    ("question", "path"),
    [
        ("What were total liabilities of Alder Mills in FY2021?", "AlderMills_2021_10K.md"),
        ("What were total liabilities of alder mills in 2020?", "AlderMills_2020_10K.md"),
        ("What were total liabilities of Birch Wood in 2021?", "BIRCHWOOD_2021_10K.md"),
    ],
)
def test_an_entity_and_a_year_choose_among_like_documents(
    tmp_path: Path, make_corpus: Make, question: str, path: str
) -> None:
    reports(tmp_path / "docs")
    corpus = make_corpus()
    corpus.ingest(tmp_path / "docs", options=HERE)
    found = corpus.search(question, k=3)
    assert found[0].document.path == path
    assert len(found) == 3, "the choice is soft: the others are still there"


def test_photographs_are_told_from_text_and_drawings(tmp_path: Path) -> None:
    whole = Box(0, 0, 300, 300)
    small = photograph().resize((150, 150))
    assert photo_share(small, whole, [whole]) > 0.8
    assert photo_share(small, whole, [Box(0, 0, 300, 75)]) < 0.3
    text = scanned(["Rye and spelt are ground in four mills"] * 12)
    assert photo_share(text.resize((306, 396)), Box(0, 0, 612, 792), [Box(0, 0, 612, 792)]) < 0.05
    assert photo_share(Image.new("RGB", (4, 4)), whole, [whole]) == 0.0
    file, _ = annual_report()
    file.pages[1].picture(Box(72, 300, 400, 600), photograph())
    path = tmp_path / "report.pdf"
    path.write_bytes(file.to_bytes())
    assert [part.photo for part in parse_pdf(path).parts] == [False, True, False, False]


def test_a_question_about_a_picture_prefers_pages_with_photographs(
    tmp_path: Path, make_corpus: Make
) -> None:
    file = PdfFile()
    for index in range(3):
        sheet = file.page()
        sheet.text(72, 72, "The mill and its people")
        if index == 1:
            sheet.picture(Box(72, 200, 400, 500), photograph())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "mill.pdf").write_bytes(file.to_bytes())
    corpus = make_corpus()
    corpus.ingest(tmp_path / "docs", options=HERE)
    assert corpus.search("How many people are in the picture of the mill?", k=1)[0].page == 2


def test_a_question_about_a_slide_prefers_the_shape_of_slides(
    tmp_path: Path, make_corpus: Make
) -> None:
    (tmp_path / "docs").mkdir()
    for name, size in (("a.pdf", {}), ("b.pdf", {"width": 720.0, "height": 405.0})):
        file = PdfFile()
        for _ in range(4):
            file.page(**size).text(72, 72, "Weirs and mills")
        (tmp_path / "docs" / name).write_bytes(file.to_bytes())
    corpus = make_corpus()
    corpus.ingest(tmp_path / "docs", options=HERE)
    found = corpus.search("What colour has slide 3?", k=1)[0]
    assert (found.document.path, found.page) == ("b.pdf", 3)
    assert corpus.search("What colour has page 3?", k=1)[0].page == 3


def test_a_number_that_is_printed_and_counted_counts_once() -> None:
    question = read_question("What is on page 5?")
    weights = Weights()
    both = sign_score(question, page(5, refs="page:5 label:5"), weights)
    assert both == sign_score(question, page(7, refs="page:7 label:5"), weights) == weights.label
    assert sign_score(question, page(5, refs="page:5"), weights) == weights.position


def test_pairs_count_by_how_rare_they_are() -> None:
    bodies = ["alpha beta gamma", "gamma beta alpha", "alpha beta x", "beta gamma x"]
    found = candidates([page(n, body) for n, body in enumerate(bodies, 1)], [0.0] * 4)
    add_pairs(("alpha", "beta", "gamma"), 1.0, found)
    assert found.scores["a", 1] == pytest.approx(1.0)
    assert found.scores["a", 2] == 0.0
    assert found.scores["a", 3] == pytest.approx(found.scores["a", 4])


def test_words_of_the_best_pages_lift_pages_that_share_them() -> None:
    bodies = ["weir sluice gate", "weir sluice lock", "sluice gate lock", "bread flour", "oats"]
    found = candidates([page(n, body) for n, body in enumerate(bodies, 1)], [1, 0.9, 0, 0, 0])
    add_feedback(("weir",), 0.2, found)
    assert found.scores["a", 3] > found.scores["a", 4] == 0.0
    few = candidates([page(1, "weir"), page(2, "oats")], [1, 0])
    add_feedback(("weir",), 0.2, few)
    assert few.scores["a", 1] == 1


def test_a_neighbour_is_drawn_up_and_the_best_page_stays() -> None:
    units = [page(n) for n in (1, 2, 3, 5)] + [page(2, document="b")]
    found = candidates(units, [0.1, 1.0, 0.5, 0.2, 0.1])
    add_neighbours(0.2, found)
    scores = found.scores
    assert scores["a", 2] == 1.0
    assert scores["a", 1] == pytest.approx(0.1 + 0.2 * 0.9)
    assert scores["a", 3] == pytest.approx(0.5 + 0.2 * 0.5)
    assert (scores["a", 5], scores["b", 2]) == (0.2, 0.1)
    assert ("a", 4) not in found.scores


def test_weights_of_zero_leave_a_part_out(tmp_path: Path, make_corpus: Make) -> None:
    reports(tmp_path / "docs")
    names = [field for field in Weights.__dataclass_fields__ if field not in ("page", "label")]
    bare = replace(Weights(), **dict.fromkeys(names, 0.0))
    corpus = make_corpus(weights=bare)
    assert isinstance(corpus, Corpus)
    corpus.ingest(tmp_path / "docs", options=HERE)
    scores = {found.score for found in corpus.search("total liabilities of Alder Mills", k=3)}
    assert len(scores) == 1
    assert corpus.search("total", where=Filter(paths=("BIRCH*",)))[0].score == 0.25
