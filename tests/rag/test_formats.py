"""Text, Markdown, HTML, DOCX, PPTX, pictures, subtitles."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from langchain_kimi.rag import UnreadableFileError
from langchain_kimi.rag.ingest.images import parse_image
from langchain_kimi.rag.ingest.office import parse_docx, parse_pptx
from langchain_kimi.rag.ingest.sections import parse_html, parse_markdown, parse_plain
from langchain_kimi.rag.ingest.subtitles import Cue, parse_cues
from tests.rag.conftest import KnownOcr, scanned


def test_markdown_keeps_headings_tables_and_fences(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text(
        "# Mill\n\nIntro.\n\n## Grain\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
        "```\n# no heading\n```\n"
    )
    parsed = parse_markdown(path)
    regions = [region for part in parsed.parts for region in part.regions]
    table = next(region for region in regions if region.kind == "table")
    assert table.headings == ("Mill", "Grain")
    assert any("# no heading" in region.text and region.kind == "text" for region in regions)
    assert parsed.title == "Mill"


def test_long_text_becomes_several_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"paragraph {index} " + "word " * 100 for index in range(30)))
    parts = parse_plain(path).parts
    assert len(parts) > 3
    assert [part.number for part in parts] == list(range(1, len(parts) + 1))
    assert sum(part.text.count("paragraph") for part in parts) == 30


def test_html_drops_scripts_and_keeps_tables(tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<html><head><title>Mills &amp; more</title><style>p{}</style></head><body><h1>Rye</h1>"
        "<p>One<br>two</p><script>bad()</script><table><tr><th>x<th>y</tr><tr><td>1</td><td>2</td>"
        "</tr></table><img alt='a weir'></body>"
    )
    parsed = parse_html(path)
    text = "\n".join(part.text for part in parsed.parts)
    assert parsed.title == "Mills & more"
    assert "bad" not in text
    assert "p{}" not in text
    assert "| 1 | 2 |" in text
    assert "a weir" in text


def test_text_in_other_encodings_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for data in ("Mühle".encode("cp1252"), "Mühle".encode("utf-16"), "\ufeffMühle".encode()):
        path.write_bytes(data)
        assert parse_plain(path).parts[0].text == "Mühle"


DOCX = (
    '<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml'
    '/2006/main"><w:body><w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Weirs</w:t>'
    "</w:r></w:p><w:p><w:r><w:t>A weir holds water.</w:t></w:r></w:p><w:tbl>"
    "<w:tr><w:tc><w:p><w:r><w:t>"
    "height</w:t></w:r></w:p></w:tc>"
    "<w:tc><w:p><w:r><w:t>2 m</w:t></w:r></w:p></w:tc></w:tr>"
    "</w:tbl></w:body></w:document>"
)


def test_docx_keeps_headings_and_tables(tmp_path: Path) -> None:
    pytest.importorskip("mammoth")
    path = tmp_path / "a.docx"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    styles = (
        '<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:style'
        ' w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", DOCX)
        archive.writestr("word/styles.xml", styles)
        archive.writestr(
            "_rels/.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{kind}" Target="word/document.xml"/></Relationships>',
        )
        archive.writestr(
            "[Content_Types].xml",
            '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        )
    parsed = parse_docx(path)
    assert parsed.title == "Weirs"
    assert "A weir holds water." in parsed.parts[0].text
    assert "| height | 2 m |" in parsed.parts[0].text


def test_pptx_slides_have_boxes_tables_and_notes(tmp_path: Path) -> None:
    pptx = pytest.importorskip("pptx")
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "Catch of the year"
    shape = slide.shapes.add_table(2, 2, 914_400, 1_828_800, 3_657_600, 914_400)
    for row, cells in enumerate((("fish", "tonnes"), ("eel", "4"))):
        for column, cell in enumerate(cells):
            shape.table.cell(row, column).text = cell
    slide.notes_slide.notes_text_frame.text = "Speak slowly."
    path = tmp_path / "a.pptx"
    deck.save(path)
    part = parse_pptx(path).parts[0]
    table = next(region for region in part.regions if region.kind == "table")
    assert "| eel | 4 |" in table.text
    assert table.box == (72, 144, 360, 216)
    assert table.headings == ("Catch of the year",)
    assert "Speak slowly." in part.text


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_pictures_are_read_by_ocr_in_pixels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    scanned(["anything"]).save(path)
    part = parse_image(path, ocr=KnownOcr("eel trap")).parts[0]
    assert part.text == "eel trap"
    assert part.size == (1275.0, 1650.0)
    assert part.regions[0].box is not None
    assert part.regions[0].box.y0 == pytest.approx(825)


def test_a_truncated_picture_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    scanned(["x"]).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(UnreadableFileError, match="no readable picture"):
        parse_image(path)


def test_srt_and_webvtt_give_the_same_cues() -> None:
    srt = "1\n00:00:01,500 --> 00:00:03,000\n<i>Hello</i> there\n\nbroken\n\n"
    srt += "2\n00:01:00,000 --> 00:01:02,250\nBye\n"
    vtt = "WEBVTT\n\n00:01.500 --> 00:03.000 align:start\nHello there\n\n"
    vtt += "01:00.000 --> 01:02.250\nBye\n"
    expected = [Cue(1.5, 3.0, "Hello there"), Cue(60.0, 62.25, "Bye")]
    assert parse_cues(srt) == parse_cues(vtt) == expected


@pytest.mark.parametrize("line", ["Line {} of the log", "一行日志{}。" * 3])
def test_a_log_without_blank_lines_is_cut_between_lines(tmp_path: Path, line: str) -> None:
    path = tmp_path / "mill.log.txt"
    lines = [line.format(*[number] * 3) for number in range(2_000)]
    path.write_text("\n".join(lines))
    parts = parse_plain(path).parts
    assert len(parts) > 5
    assert max(len(part.text) for part in parts) <= 6_000
    assert "\n".join(part.text for part in parts).split("\n") == lines


def test_a_line_without_end_is_cut_between_words(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("grain " * 4_000 + "x" * 20_000)
    parts = parse_plain(path).parts
    assert max(len(part.text) for part in parts) <= 6_000
    assert " ".join(part.text for part in parts).count("grain") == 4_000
    assert sum(part.text.count("x") for part in parts) == 20_000


def test_each_part_of_a_long_table_has_its_head(tmp_path: Path) -> None:
    path = tmp_path / "grain.md"
    rows = [f"| item {number} | {number * 7} |" for number in range(1_000)]
    path.write_text("\n".join(["| name | tonnes |", "|---|---|", *rows]))
    parts = parse_markdown(path).parts
    assert len(parts) > 5
    assert all(part.text.startswith("| name | tonnes |\n|---|---|\n| item") for part in parts)
    assert [line for part in parts for line in part.text.split("\n")[2:]] == rows
