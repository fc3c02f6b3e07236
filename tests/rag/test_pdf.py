"""PDF files: text, tables, figures, boxes, headings, page numbers, OCR."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from langchain_kimi.rag import Box, EncryptedFileError, UnreadableFileError
from langchain_kimi.rag.ingest.ocr import CachedOcr, open_ocr
from langchain_kimi.rag.ingest.parsed import Parsed
from langchain_kimi.rag.ingest.pdf import parse_pdf
from tests.rag.conftest import KnownOcr, annual_report, scanned
from tests.rag.pdf_writer import PdfFile

pytest.importorskip("pypdfium2")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Parsed, dict[str, Box]]:
    file, boxes = annual_report()
    path = tmp_path_factory.mktemp("pdf") / "report.pdf"
    path.write_bytes(file.to_bytes())
    return parse_pdf(path), boxes


def test_the_generator_writes_the_same_bytes_each_time() -> None:
    digests = {hashlib.sha256(annual_report()[0].to_bytes()).hexdigest() for _ in range(2)}
    assert len(digests) == 1


def test_pages_have_text_titles_and_dates(report: tuple[Parsed, dict[str, Box]]) -> None:
    parsed, _ = report
    assert [part.number for part in parsed.parts] == [1, 2, 3, 4]
    assert "grinds rye and spelt in four mills" in parsed.parts[1].text
    assert (parsed.title, parsed.date) == ("Annual report of Birch Mills", "2024-01-02")


def test_printed_page_numbers_become_labels(report: tuple[Parsed, dict[str, Box]]) -> None:
    parsed, _ = report
    assert [part.label for part in parsed.parts] == ["1", "2", "3", "4"]


def test_headings_stand_above_their_text(report: tuple[Parsed, dict[str, Box]]) -> None:
    parsed, _ = report
    people = next(r for r in parsed.parts[1].regions if "Sixty-two" in r.text)
    assert people.headings[-1] == "2. People"
    assert "1. Business" not in people.headings


def test_a_table_becomes_markdown_in_its_box(report: tuple[Parsed, dict[str, Box]]) -> None:
    parsed, boxes = report
    table = next(r for r in parsed.parts[2].regions if r.kind == "table")
    assert "| Grain | 2022 | 2023 |" in table.text
    assert "| Wheat | 960 | 902 |" in table.text
    assert table.caption == "Table 1: Sales of flour in tonnes"
    assert table.box is not None
    assert table.box.iou(boxes["table"]) > 0.7


def test_a_drawn_chart_becomes_a_figure_with_its_caption(
    report: tuple[Parsed, dict[str, Box]],
) -> None:
    parsed, boxes = report
    figures = [r for r in parsed.parts[3].regions if r.kind == "figure"]
    best = max(figures, key=lambda r: r.box.iou(boxes["chart"]) if r.box else 0.0)
    assert best.box is not None
    assert best.box.iou(boxes["chart"]) > 0.7
    assert best.caption == "Figure 2: Orders by region"
    assert "south" in best.text


def test_boxes_lie_on_the_displayed_page_when_it_is_rotated(tmp_path: Path) -> None:
    file = PdfFile()
    file.page(rotate=90).text(72, 72, "Turned", 20)
    path = tmp_path / "turned.pdf"
    path.write_bytes(file.to_bytes())
    part = parse_pdf(path).parts[0]
    assert part.size == (792.0, 612.0)
    box = part.regions[0].box
    assert box is not None
    # The upper left corner of the sheet is at the upper right of the page as shown.
    assert box.x0 > 680
    assert box.y0 < 100


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    file = PdfFile()
    page = file.page()
    left = [f"left line {index} runs on and on" for index in range(6)]
    right = [f"right line {index} runs on and on" for index in range(6)]
    for index in range(6):
        page.text(60, 100 + 14 * index, left[index])
        page.text(330, 100 + 14 * index, right[index])
    path = tmp_path / "columns.pdf"
    path.write_bytes(file.to_bytes())
    text = parse_pdf(path).parts[0].text
    assert text.index("left line 5") < text.index("right line 0")


def _scan(tmp_path: Path, name: str = "scan.pdf") -> Path:
    file = PdfFile()
    page = file.page()
    page.picture(Box(0, 0, 612, 792), scanned(["Harvest of the orchard", "Plums 340 crates"]))
    path = tmp_path / name
    path.write_bytes(file.to_bytes())
    return path


def test_a_scanned_page_goes_through_ocr_and_its_words_have_boxes(tmp_path: Path) -> None:
    engine = KnownOcr("plums in crates")
    part = parse_pdf(_scan(tmp_path), ocr=engine).parts[0]
    assert part.text == "plums in crates"
    region = next(r for r in part.regions if r.kind != "figure")
    assert region.origin == "ocr"
    assert region.box is not None
    assert region.box.y0 == pytest.approx(396, abs=2)


def test_a_page_whose_text_layer_says_it_all_is_not_read_again(tmp_path: Path) -> None:
    file, _ = annual_report()
    path = tmp_path / "report.pdf"
    path.write_bytes(file.to_bytes())
    engine = KnownOcr("unused")
    parse_pdf(path, ocr=engine)
    assert engine.calls == 0


def test_without_an_engine_a_scan_is_noted(tmp_path: Path) -> None:
    parsed = parse_pdf(_scan(tmp_path))
    assert parsed.notes == ("page 1: pictures not read, no OCR engine",)


def test_what_ocr_has_read_is_cached_by_content(tmp_path: Path) -> None:
    engine = KnownOcr("plums in crates")
    cached = CachedOcr(engine, tmp_path / "cache")
    texts = {
        parse_pdf(_scan(tmp_path, name), ocr=cached).parts[0].text for name in ("a.pdf", "b.pdf")
    }
    assert texts == {"plums in crates"}
    assert engine.calls == 1


def test_an_installed_engine_reads_a_scan(tmp_path: Path) -> None:
    engine = open_ocr("auto")
    if engine is None:
        pytest.skip("no OCR engine: install tesseract-ocr or the extra `ocr`")
    text = parse_pdf(_scan(tmp_path), ocr=engine).parts[0].text
    assert "Harvest of the orchard" in text
    assert "340 crates" in text


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ValueError, match="use auto, tesseract, rapidocr or none"):
        open_ocr("magic")  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [b"%PDF-1.7\nnothing", b"\x00" * 2_000, b"<html>no pdf</html>"])
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.pdf"
    path.write_bytes(content)
    with pytest.raises(UnreadableFileError, match=r"broken\.pdf is no readable PDF"):
        parse_pdf(path)


def test_a_truncated_file_gives_pages_or_a_clear_error(tmp_path: Path) -> None:
    data = annual_report()[0].to_bytes()
    path = tmp_path / "cut.pdf"
    for part in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * part)])
        try:
            parsed = parse_pdf(path)
        except UnreadableFileError as error:
            assert "cut.pdf" in str(error)  # noqa: PT017
        else:
            assert len(parsed.parts) <= 4


def test_an_encrypted_file_asks_for_its_password_to_be_removed(tmp_path: Path) -> None:
    data = annual_report()[0].to_bytes()
    locked = b"/Encrypt << /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >> /ID [<00> <00>]"
    locked %= (b"41" * 32, b"42" * 32)
    path = tmp_path / "locked.pdf"
    path.write_bytes(data.replace(b"/Root 1 0 R", b"/Root 1 0 R " + locked))
    with pytest.raises(EncryptedFileError, match="remove its password"):
        parse_pdf(path)


def test_a_page_with_very_many_shapes_still_has_its_figure(tmp_path: Path) -> None:
    file = PdfFile()
    page = file.page()
    page.text(72, 60, "A map of all the parcels")
    for row in range(90):
        for column in range(90):
            x, y = 100 + 4 * column, 200 + 4 * row
            page.rectangle(Box(x, y, x + 3, y + 3))
    path = tmp_path / "map.pdf"
    path.write_bytes(file.to_bytes())
    figures = [r.box for r in parse_pdf(path).parts[0].regions if r.kind == "figure"]
    assert max(box.iou(Box(100, 200, 460, 560)) for box in figures if box) > 0.9
