"""Documents become their pages' text and pictures, within a budget."""

from __future__ import annotations

import base64
import io
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from langchain_kimi.content import MediaLimits, document, visual_tokens
from langchain_kimi.content.tokens import estimate_tokens
from langchain_kimi.errors import KimiInvalidInputError


def texts(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in blocks if block["type"] == "text"]


def sizes(blocks: list[dict[str, Any]]) -> list[tuple[int, int]]:
    return [
        Image.open(io.BytesIO(base64.b64decode(block["base64"]))).size
        for block in blocks
        if block["type"] == "image"
    ]


def test_pages_come_as_text_and_picture(make: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(make.pdf(["First page", "Second page"]))
    blocks = document(path)
    assert [block["type"] for block in blocks] == ["text", "image"] * 2
    assert texts(blocks) == [
        "report.pdf, page 1 of 2\nFirst page",
        "report.pdf, page 2 of 2\nSecond page",
    ]
    assert blocks[1]["extras"] == {"name": "report.pdf p. 1"}
    assert sizes(blocks) == [(1224, 1584)] * 2
    picture = Image.open(io.BytesIO(base64.b64decode(blocks[1]["base64"]))).convert("L")
    darkest, _ = picture.getextrema()
    assert isinstance(darkest, int)
    assert darkest < 60
    assert picture.getpixel((5, 5)) == 255


def test_text_or_pictures_alone(make: Any) -> None:
    data = make.pdf(["Words"])
    assert [block["type"] for block in document(data, pictures=False)] == ["text"]
    with_picture = document(data, text=False, name="a.pdf", pinned=True)
    assert texts(with_picture) == ["a.pdf, page 1 of 1"]
    assert with_picture[0]["extras"] == {"pinned": True}
    assert with_picture[1]["extras"] == {"name": "a.pdf p. 1", "pinned": True}


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        ("1-3,7", [1, 2, 3, 7]),
        ("9-", [9, 10]),
        (" 2 - 3 , 5 ", [2, 3, 5]),
        ("4,2", [4, 2]),
        ([10, 1], [10, 1]),
        (range(3, 5), [3, 4]),
        (None, list(range(1, 11))),
    ],
)
def test_page_ranges(make: Any, pages: Any, expected: list[int]) -> None:
    data = make.pdf([f"page {number}" for number in range(1, 11)])
    blocks = document(data, pages=pages, pictures=False)
    assert [text.split("\n")[1] for text in texts(blocks)] == [f"page {n}" for n in expected]


@pytest.mark.parametrize(
    ("pages", "message"),
    [
        ("0", "asks for"),
        ("11", "asks for"),
        ("5-999999999999", "asks for"),
        ([3, -1], r"asks for \[-1\]"),
        ([], "asks for none"),
        ("3-1", "asks for none"),
        ("a-b", "write numbers and ranges"),
        ("", "write numbers and ranges"),
    ],
)
def test_pages_that_are_not_there(make: Any, pages: Any, message: str) -> None:
    data = make.pdf([f"page {number}" for number in range(1, 11)])
    with pytest.raises(KimiInvalidInputError, match=message):
        document(data, pages=pages)


@pytest.mark.parametrize(
    ("budget", "size"),
    [(30_000, (1224, 1584)), (14_000, (850, 1100)), (8_000, (612, 792))],
)
def test_the_resolution_follows_the_budget(make: Any, budget: int, size: tuple[int, int]) -> None:
    blocks = document(make.pdf(["word"] * 10), max_tokens=budget)
    assert sizes(blocks) == [size] * 10
    assert visual_tokens(blocks) + sum(map(estimate_tokens, texts(blocks))) <= budget


def test_pages_beyond_the_budget_say_so(make: Any) -> None:
    blocks = document(make.pdf(["word"] * 10), max_tokens=2_000, name="a.pdf")
    assert sizes(blocks) == [(612, 792)] * 3
    assert texts(blocks)[2] == "a.pdf, page 3 of 10\nword"
    assert texts(blocks)[3] == "a.pdf, page 4 of 10 (its picture was left out to save space)\nword"
    fixed = document(make.pdf(["word"] * 10), max_tokens=2_600, dpi=144)
    assert sizes(fixed) == [(1224, 1584)]


def test_text_beyond_the_budget_is_an_error(make: Any) -> None:
    data = make.pdf(["many words on a page " * 20] * 10)
    with pytest.raises(KimiInvalidInputError, match="more than max_tokens=50"):
        document(data, max_tokens=50)
    assert document(data, max_tokens=50, text=False)


def test_a_page_as_large_as_a_house(make: Any) -> None:
    data = make.pdf(["big"], size=(20_000, 20_000))
    assert sizes(document(data)) == [(4096, 4096)]
    assert sizes(document(data, limits=MediaLimits(longest_edge=500))) == [(500, 500)]
    small = document(make.pdf(["x"]), limits=MediaLimits(max_bytes=9_000))
    assert len(base64.b64decode(small[1]["base64"])) <= 9_000


def test_text_files(tmp_path: Path) -> None:
    path = tmp_path / "notes.md"
    path.write_text("# Notes\nGrüße", encoding="utf-8")
    (block,) = document(path, pinned=True)
    assert block == {
        "type": "text-plain",
        "mime_type": "text/plain",
        "text": "# Notes\nGrüße",
        "title": "notes.md",
        "extras": {"pinned": True},
    }
    with pytest.raises(KimiInvalidInputError, match="max_tokens=100"):
        document(b"word " * 1000, max_tokens=100)


def test_file_ids_are_passed_on() -> None:
    assert document(file_id="f", name="a.pdf") == [
        {"type": "file", "file_id": "f", "extras": {"name": "a.pdf"}}
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"%PDF-1.7\nnothing more", "damaged, cut off or protected"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "is image/png"),
        (b"PK\x03\x04" + bytes(20), "is application/zip"),
        (b"\xff\xfe\x00\x01", "of no known type"),
        (b"text with a \x00 in it", "of no known type"),
    ],
)
def test_what_is_no_document(content: bytes, message: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=message):
        document(content)


def test_a_pdf_without_pages(make: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match=r"no pages|damaged"):
        document(make.pdf([]))


def test_pdfs_that_were_cut_off(make: Any) -> None:
    data = make.pdf(["one", "two"])
    for share in (0.02, 0.5, 0.9):
        with pytest.raises(KimiInvalidInputError, match=r"damaged|no pages"):
            document(data[: int(len(data) * share)])


def test_urls_are_not_read() -> None:
    with pytest.raises(KimiInvalidInputError, match="it reads local files only"):
        document("https://x.test/a.pdf")


def test_several_threads_may_read(make: Any) -> None:
    data = make.pdf([f"page {number}" for number in range(6)])
    alone = document(data)
    results: list[list[dict[str, Any]]] = []
    threads = [threading.Thread(target=lambda: results.append(document(data))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [alone] * 4


def test_many_pages_are_drawn_in_bounded_memory(
    make: Any, growth: Callable[[str], float], tmp_path: Path
) -> None:
    (tmp_path / "long.pdf").write_bytes(make.pdf(["word " * 20] * 100))
    assert growth('document("long.pdf", max_tokens=250_000)') < 200


def test_without_pdfium_the_error_says_what_to_install(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make.pdf(["x"])
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    with pytest.raises(ImportError, match=r"langchain-kimi-nvidia\[media\]"):
        document(data)
