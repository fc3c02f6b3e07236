"""Documents as message blocks: each page as its text and its picture."""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from langchain_kimi.content.cache import Encoded
from langchain_kimi.content.cost import PICTURE_OVERHEAD, picture_tokens
from langchain_kimi.content.encoding import encode, encode_jpeg
from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.content.pictures import picture_block
from langchain_kimi.content.sniff import sniff
from langchain_kimi.content.sources import link, read_bytes, require
from langchain_kimi.content.tokens import estimate_tokens
from langchain_kimi.errors import KimiInvalidInputError

__all__ = ["PDFIUM_LOCK", "document"]

PDFIUM_LOCK = threading.RLock()
"""PDFium is not safe to use from several threads: whoever calls it holds this."""

_POINTS_PER_INCH = 72
_RESOLUTIONS = (144, 120, 110, 100, 96, 84, 72)
"""Dots per inch, the sharpest first: a letter page costs 2,508 tokens at 144 and 638 at 72."""
_QUALITY = 85
_RANGE = re.compile(r"\s*(\d+)\s*(?:-\s*(\d*)\s*)?", re.ASCII)
_DEFAULT = MediaLimits()


def document(
    source: str | os.PathLike[str] | bytes | None = None,
    *,
    file_id: str | None = None,
    pages: str | Sequence[int] | None = None,
    text: bool = True,
    pictures: bool = True,
    max_tokens: int = 64_000,
    dpi: int | None = None,
    password: str | None = None,
    limits: MediaLimits = _DEFAULT,
    name: str | None = None,
    pinned: bool = False,
) -> list[dict[str, Any]]:
    """Return a document as content blocks: for each page its number, its text and its picture.

    A PDF is read with PDFium. Its text is sent whole; what the budget leaves is shared by the
    pictures, which get the sharpest resolution that fits. Where not all of them fit at 72 dpi, the
    first pages have pictures, and the others say that theirs was left out. A text file becomes one
    block.

    Args:
        source: A path or the bytes of a PDF or a text file.
        file_id: Instead of a source: an uploaded file (Moonshot).
        pages: Which pages, counted from 1: `"1-3,7,9-"`, or numbers. By default all.
        text: Whether the pages' text is sent.
        pictures: Whether the pages' pictures are sent.
        max_tokens: What text and pictures may cost together.
        dpi: The pictures' resolution; chosen by the budget when left out.
        password: Opens a protected PDF.
        limits: Bounds of pictures and files.
        name: What the document is called; by default the file's name.
        pinned: Whether trimming a conversation must keep it.

    Raises:
        KimiInvalidInputError: It is neither PDF nor text, is damaged or protected, has no such
            page, or its text alone exceeds the budget.
        ImportError: pypdfium2 or Pillow is not installed.
    """
    extras: dict[str, Any] = {"pinned": True} if pinned else {}
    linked = link("document", source, None, file_id)
    if linked is not None or source is None:
        extras |= {"name": name} if name else {}
        return [{"type": "file", **(linked or {}), **({"extras": extras} if extras else {})}]
    data, found = read_bytes(source, kind="document", most=limits.max_source_bytes)
    name = name or found or "the document"
    if sniff(data) != "application/pdf" and b"%PDF-" not in data[:1024]:
        block = _text_file(data, name, max_tokens)
        return [block | {"extras": extras} if extras else block]
    with PDFIUM_LOCK, _opened(data, name, password) as pdf:
        numbers = _numbers(pages, len(pdf), name)
        texts = [_text(pdf, number) if text else "" for number in numbers]
        left = max_tokens - sum(map(estimate_tokens, texts))
        if left < 0:
            msg = (
                f"{name}: the text of {len(numbers)} pages has about {max_tokens - left} tokens, "
                f"more than max_tokens={max_tokens}; choose pages, or raise it"
            )
            raise KimiInvalidInputError(msg)
        shown = _resolutions(pdf, numbers, left, dpi) if pictures else {}
        blocks: list[dict[str, Any]] = []
        for number, words in zip(numbers, texts, strict=True):
            head = f"{name}, page {number} of {len(pdf)}"
            if pictures and number not in shown:
                head += " (its picture was left out to save space)"
            said = {"type": "text", "text": f"{head}\n{words}" if words else head}
            blocks.append(said | {"extras": extras} if extras else said)
            if number in shown:
                picture = _picture(pdf, number, shown[number], limits)
                blocks.append(picture_block(picture, name=f"{name} p. {number}", pinned=pinned))
        return blocks


def _text_file(data: bytes, name: str, max_tokens: int) -> dict[str, Any]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        kind = sniff(data) or "of no known type"
        msg = f"{name} is {kind}; a document is a PDF or text in UTF-8"
        raise KimiInvalidInputError(msg)
    tokens = estimate_tokens(text)
    if tokens > max_tokens:
        msg = f"{name} has about {tokens} tokens, more than max_tokens={max_tokens}"
        raise KimiInvalidInputError(msg)
    return {"type": "text-plain", "mime_type": "text/plain", "text": text, "title": name}


@contextlib.contextmanager
def _opened(data: bytes, name: str, password: str | None) -> Iterator[Any]:
    pdfium = require("pypdfium2")
    try:
        pdf = pdfium.PdfDocument(data, password=password)
        try:
            yield pdf
        finally:
            pdf.close()
    except pdfium.PdfiumError as error:
        msg = f"{name} is damaged, cut off or protected by a password: {error}"
        raise KimiInvalidInputError(msg) from error


def _numbers(pages: str | Sequence[int] | None, count: int, name: str) -> list[int]:
    """Return the chosen pages, counted from 1."""
    if not count:
        msg = f"{name} has no pages"
        raise KimiInvalidInputError(msg)
    if pages is None:
        return list(range(1, count + 1))
    numbers = _ranges(pages, count) if isinstance(pages, str) else list(pages)
    missing = [number for number in numbers if not 1 <= number <= count]
    if missing or not numbers:
        msg = f"{name} has pages 1 to {count}; pages={pages!r} asks for {missing or 'none'}"
        raise KimiInvalidInputError(msg)
    return numbers


def _ranges(pages: str, count: int) -> list[int]:
    numbers: list[int] = []
    for part in pages.split(","):
        match = _RANGE.fullmatch(part)
        if match is None:
            msg = f"pages={pages!r}: write numbers and ranges counted from 1, as in '1-3,7,9-'"
            raise KimiInvalidInputError(msg)
        first = int(match[1])
        last = first if match[2] is None else int(match[2] or count)
        # a range of a billion pages fails on its ends, not in memory
        numbers += range(first, last + 1) if last <= count else (first, last)
    return numbers


def _text(pdf: Any, number: int) -> str:
    with (
        contextlib.closing(pdf[number - 1]) as page,
        contextlib.closing(page.get_textpage()) as textpage,
    ):
        text: str = textpage.get_text_bounded()
    return text.replace("\r\n", "\n").replace("\ufffe", "").replace("\0", "").strip()


def _resolutions(pdf: Any, numbers: list[int], budget: int, dpi: int | None) -> dict[int, int]:
    """Return the resolution for each page that gets a picture."""
    sizes = {number: pdf.get_page_size(number - 1) for number in numbers}
    for resolution in (dpi,) if dpi is not None else _RESOLUTIONS:
        costs = {number: _cost(size, resolution) for number, size in sizes.items()}
        if sum(costs.values()) <= budget:
            return dict.fromkeys(numbers, resolution)
    shown: dict[int, int] = {}
    for number, cost in costs.items():
        budget -= cost
        if budget < 0:
            break
        shown[number] = resolution
    return shown


def _cost(size: tuple[float, float], resolution: int) -> int:
    width, height = _pixels(size, resolution / _POINTS_PER_INCH)
    return picture_tokens(width, height) + PICTURE_OVERHEAD


def _pixels(size: tuple[float, float], scale: float) -> tuple[int, int]:
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _picture(pdf: Any, number: int, resolution: int, limits: MediaLimits) -> Encoded:
    with contextlib.closing(pdf[number - 1]) as page:
        scale = resolution / _POINTS_PER_INCH
        # a page may be as large as a house: it is drawn no larger than what is sent
        scale = min(scale, limits.longest_edge / max(page.get_size()))
        with contextlib.closing(page.render(scale=scale, may_draw_forms=False)) as bitmap:
            drawn = bitmap.to_pil().convert("RGB")
    encoded = encode_jpeg(drawn, quality=_QUALITY)
    return encoded if len(encoded.data) <= limits.max_bytes else encode(drawn, limits)
