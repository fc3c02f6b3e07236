"""The words of a page as they are printed: in the order of the file, and in rows as one reads them.

A table's text may run by columns while its picture is read by rows; a quote of either is true.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from langchain_kimi.content.pages import PDFIUM_LOCK
from langchain_kimi.rag.answer.quotes import locate_tokens, parts_of, tokens_of
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.geometry import Box, union
from langchain_kimi.rag.ingest.ocr import OcrEngine
from langchain_kimi.rag.ingest.pages import read_page
from langchain_kimi.rag.ingest.pdf import open_pdf
from langchain_kimi.rag.ingest.words import PageFrame, Word, read_words
from langchain_kimi.rag.pictures import unchanged
from langchain_kimi.rag.retrieve.search import Found

_KEPT = 256
_INSIDE = 0.5


def find_printed(
    corpus: Corpus, found: Found, quote: str, regions: Sequence[Box]
) -> tuple[str, Box] | None:
    """Find a quote among the words of a PDF page; return it as printed, and its box.

    The text layer is looked at first, then what OCR read.

    Args:
        corpus: Whose OCR engine, with what it read at ingest, is asked.
        found: A page of a PDF.
        quote: As the model gave it.
        regions: Parts of the page that are read by themselves, such as tables.

    Raises:
        StaleFileError: The file is gone or has changed since it was ingested.
    """
    path = unchanged(found.document)
    version = found.document.sha256
    layer = _layer_words(path, version, found.page)
    place = _find(quote, layer, regions)
    if place is None:
        read = _read_words(path, version, found.page, corpus.ocr_engine())
        place = _find(quote, read, regions) if len(read) > len(layer) else None
    return place


def _find(quote: str, words: Sequence[Word], regions: Sequence[Box]) -> tuple[str, Box] | None:
    held = {token.text for word in words for token in tokens_of(word.text)}
    if not held.issuperset(token for part in parts_of(quote) for token in part):
        return None  # in no order, then
    for order in _orders(words, regions):
        printed = _words_of(quote, order)
        if printed:
            text = " ".join(word.text for word in printed)
            return text, union(word.box for word in printed)
    return None


def _orders(words: Sequence[Word], regions: Sequence[Box]) -> Iterator[Sequence[Word]]:
    yield words
    yield in_rows(words)
    for region in regions:
        yield in_rows([word for word in words if word.box.inside(region) > _INSIDE])


def _words_of(quote: str, words: Sequence[Word]) -> list[Word]:
    tokens: list[str] = []
    owner: list[int] = []
    for index, word in enumerate(words):
        for token in tokens_of(word.text):
            tokens.append(token.text)
            owner.append(index)
    places = locate_tokens(quote, tokens)
    held = dict.fromkeys(owner[at] for first, last in places for at in range(first, last + 1))
    return [words[index] for index in held]


def in_rows(words: Sequence[Word]) -> list[Word]:
    """Return words row by row, each row from the left."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.box.middle[1]):
        middle = word.box.middle[1]
        last = rows[-1][-1].box if rows else None
        if last is not None and middle - last.middle[1] < max(last.height, word.box.height) / 2:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [word for row in rows for word in sorted(row, key=lambda word: word.box.x0)]


@lru_cache(maxsize=_KEPT)
def _layer_words(path: Path, version: str, number: int) -> tuple[Word, ...]:
    """Read the words of the text layer; `version` keeps those of a changed file apart."""
    del version
    with PDFIUM_LOCK, open_pdf(path) as document:
        page = document[number - 1]
        try:
            return tuple(read_words(page, PageFrame(page)))
        finally:
            page.close()


_read: dict[tuple[str, int, str], tuple[Word, ...]] = {}


def _read_words(
    path: Path, version: str, number: int, engine: OcrEngine | None
) -> tuple[Word, ...]:
    """Read the words of the text layer and of OCR, which is cached since the ingest."""
    key = (version, number, engine.name if engine else "")
    known = _read.get(key)
    if known is None:
        if len(_read) >= _KEPT:
            _read.clear()
        with PDFIUM_LOCK, open_pdf(path) as document:
            page = read_page(document, number - 1, engine)
        known = _read[key] = tuple(word for line in page.all_lines for word in line.words)
    return known
