"""Documents with known answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from langchain_kimi.rag import Box, Corpus
from langchain_kimi.rag.geometry import union
from langchain_kimi.rag.ingest.words import Word
from tests.rag.pdf_writer import PdfFile

Make = Callable[..., Corpus]


@pytest.fixture
def make_corpus(tmp_path: Path) -> Make:
    """Return a function that opens a corpus in this test's folder."""
    opened: list[Corpus] = []

    def make(**options: object) -> Corpus:
        corpus = Corpus(tmp_path / ".corpus", **{"ocr": "none", **options})  # type: ignore[arg-type]
        opened.append(corpus)
        return corpus

    yield make  # type: ignore[misc]
    for corpus in opened:
        corpus.close()


@pytest.fixture
def data() -> Path:
    """Return the folder of labelled data."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("KIMI_SHARED_DATA", default)) / "mmlongbench-dev"
    if not folder.is_dir():
        pytest.skip("the labelled data are not there: set KIMI_SHARED_DATA")
    return folder


def annual_report() -> tuple[PdfFile, dict[str, Box]]:
    """Return a report of four pages and the boxes of its table and chart."""
    file = PdfFile(title="Annual report of Birch Mills")
    cover = file.page()
    cover.text(72, 200, "Birch Mills Annual Report", 28, bold=True)
    cover.text(72, 250, "For the year that ended in June 2023", 14)
    body = file.page()
    body.text(72, 72, "1. Business", 18, bold=True)
    lines = [
        "Birch Mills grinds rye and spelt in four mills along the river Aller.",
        "It sells flour to bakeries and keeps a shop in the oldest of the mills.",
        "In the last year a solar roof was put on the storehouse in Verden.",
    ]
    end = body.paragraph(72, 110, lines)
    body.text(72, end + 24, "2. People", 18, bold=True)
    body.paragraph(72, end + 60, ["Sixty-two people work at the mills, nine of them apprentices."])
    tables = file.page()
    tables.text(72, 72, "3. Results", 18, bold=True)
    tables.text(72, 112, "Table 1: Sales of flour in tonnes", 10)
    rows = [["Grain", "2022", "2023"], ["Rye", "410", "455"], ["Spelt", "120", "138"]]
    rows += [["Oats", "77", "81"], ["Wheat", "960", "902"]]
    table = tables.table(72, 130, rows, [140, 80, 80])
    chart_page = file.page()
    chart_page.text(72, 72, "4. Outlook", 18, bold=True)
    chart = chart_page.bars(
        Box(100, 140, 420, 320), [3, 5, 8, 4], ["north", "east", "south", "west"]
    )
    chart_page.text(100, 345, "Figure 2: Orders by region", 10)
    for number, page in enumerate(file.pages, start=1):
        page.text(300, 750, str(number), 9)
    return file, {"table": table, "chart": chart}


def scanned(text: list[str], size: int = 40) -> Image.Image:
    """Return a picture of text, as from a scanner."""
    image = Image.new("L", (1275, 1650), 255)
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    for index, line in enumerate(text):
        draw.text((120, 150 + index * 2 * size), line, fill=0, font=font)
    return image


class KnownOcr:
    """Stands in for an OCR engine: says the words it was given, in the middle of the picture."""

    name = "known 1"

    def __init__(self, text: str) -> None:
        self.text = text
        self.calls = 0

    def read(self, image: Image.Image) -> list[Word]:
        self.calls += 1
        words, x = [], 0.1 * image.width
        for piece in self.text.split():
            box = Box(x, 0.5 * image.height, x + 40, 0.5 * image.height + 30)
            words.append(Word(piece, box, 30))
            x += 50
        return words


def extent(words: list[Word]) -> Box:
    return union(word.box for word in words)
