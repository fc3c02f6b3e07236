"""Where quotes stand: rows of a table whose text runs by columns, scans, changed files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from langchain_kimi.rag import Box, Corpus, IngestOptions
from langchain_kimi.rag.answer.places import place_of
from langchain_kimi.rag.answer.printed import in_rows
from langchain_kimi.rag.answer.sources import load_pages
from langchain_kimi.rag.ingest.words import Word
from tests.rag.conftest import scanned
from tests.rag.pdf_writer import PdfFile

LABELS = ["Merchandise inventories", "Receivables, net", "Other current assets"]
VALUES = ["14,215", "1,803", "1,312"]


@pytest.fixture
def corpus(tmp_path: Path):
    folder = tmp_path / "docs"
    folder.mkdir()
    file = PdfFile(title="Balance sheet")
    page = file.page()
    for index, label in enumerate(LABELS):
        page.text(72, 100 + 40 * index, label)
    for index, value in enumerate(VALUES):
        page.text(400, 100 + 40 * index, value)
    scan = file.page()
    scan.picture(Box(0, 0, 612, 792), scanned(["THE MILL OPENS AT NINE", "AND CLOSES AT FIVE"]))
    (folder / "balance.pdf").write_bytes(file.to_bytes())
    corpus = Corpus(tmp_path / "index", ocr="auto" if shutil.which("tesseract") else "none")
    corpus.ingest(folder, options=IngestOptions(workers=0))
    yield corpus
    corpus.close()


def page_of(corpus: Corpus, number: int):
    (document,) = corpus.documents()
    (page,) = load_pages(corpus, [f"{document.id}:{number}"])
    return page


@pytest.mark.parametrize(("label", "value"), list(zip(LABELS, VALUES, strict=True)))
def test_a_row_is_found_though_the_text_runs_by_columns(corpus, label: str, value: str) -> None:
    page = page_of(corpus, 1)
    assert "1,803 1,312" in " ".join(page.text.split())
    place = place_of(corpus, page, f"{label} {value}")
    assert place is not None
    assert place.quote == f"{label} {value}"
    assert place.box.x0 < 80
    assert place.box.x1 > 400
    assert place.box.height < 15


@pytest.mark.parametrize(
    "quote", ["Merchandise inventories 1,803", "Receivables, net 1,804", "net 1,803 Receivables"]
)
def test_a_row_with_another_value_is_not_found(corpus, quote: str) -> None:
    assert place_of(corpus, page_of(corpus, 1), quote) is None


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="Debian's tesseract-ocr is not there")
def test_words_of_a_scan_have_boxes(corpus) -> None:
    place = place_of(corpus, page_of(corpus, 2), "opens at nine")
    assert place.quote == "OPENS AT NINE"
    assert 60 < place.box.y0 < place.box.y1 < 110
    assert place.box.width < 350


def test_without_the_file_the_index_still_answers(corpus) -> None:
    page = page_of(corpus, 1)
    Path(page.document.source).unlink()
    place = place_of(corpus, page, "Receivables, net")
    assert place.quote == "Receivables, net"
    assert place.box is not None
    assert place_of(corpus, page, "Receivables, gross") is None


def test_rows_of_words() -> None:
    def word(text: str, x: float, y: float) -> Word:
        return Word(text, Box(x, y, x + 10, y + 10))

    words = [word("c", 0, 20), word("b", 50, 2), word("a", 0, 0), word("d", 50, 18)]
    assert [one.text for one in in_rows(words)] == ["a", "b", "c", "d"]
    assert in_rows([]) == []
