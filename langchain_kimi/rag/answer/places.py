"""Where a quote stands: the box of its words on a page, the seconds of its cue in a video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from langchain_kimi.content.pages import PDFIUM_LOCK
from langchain_kimi.rag.answer.quotes import locate, locate_tokens, tokens_of, whole_words
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.errors import RagError
from langchain_kimi.rag.geometry import Box, union
from langchain_kimi.rag.index.records import Filter, Unit
from langchain_kimi.rag.ingest.subtitles import Cue, parse_cues, sidecar
from langchain_kimi.rag.ingest.words import PageFrame, Word, read_words
from langchain_kimi.rag.pictures import unchanged
from langchain_kimi.rag.retrieve.search import Found

_CACHED_PAGES = 256


@dataclass(frozen=True, slots=True)
class Place:
    """A quote as its page has it, and where."""

    quote: str
    box: Box | None = None
    start: float | None = None
    end: float | None = None


def place_of(corpus: Corpus, found: Found, quote: str) -> Place | None:
    """Find a quote on its page; None when the page does not hold it.

    Args:
        corpus: The corpus that the page belongs to.
        found: The page or scene.
        quote: As the model gave it.
    """
    held = _as_printed(quote, found.text)
    if held is None:
        return None
    if found.start is not None:
        start, end = _cue_span(found, quote) or (found.start, found.end)
        return Place(held, start=start, end=end)
    return Place(held, box=_box_of_words(found, quote) or _box_of_region(corpus, found, quote))


def _as_printed(quote: str, text: str) -> str | None:
    for version in (text, whole_words(text)):
        spans = locate(quote, version)
        if spans:
            parts = (" ".join(_with_marks(version, *span).split()) for span in spans)
            return " … ".join(parts)
    return None


def _with_marks(text: str, start: int, end: int) -> str:
    """Return a span of a text with the brackets and quotation marks that touch it."""
    while end < len(text) and text[end] in ")]}”’»":
        end += 1
    while start and text[start - 1] in "([{“‘«":
        start -= 1
    return text[start:end]


def _box_of_words(found: Found, quote: str) -> Box | None:
    """Return the box of a quote from the words of a PDF's text layer."""
    if found.document.media_type != "application/pdf":
        return None
    try:
        path = unchanged(found.document)
        words = _page_words(path, found.document.sha256, found.page)
    except RagError:
        return None  # a file that has gone leaves the box of the region
    tokens: list[str] = []
    owner: list[int] = []
    for index, word in enumerate(words):
        for token in tokens_of(word.text):
            tokens.append(token.text)
            owner.append(index)
    places = locate_tokens(quote, tokens)
    held = {owner[at] for first, last in places for at in range(first, last + 1)}
    return union(words[index].box for index in held) if held else None


@lru_cache(maxsize=_CACHED_PAGES)
def _page_words(path: Path, version: str, number: int) -> tuple[Word, ...]:
    """Read the words of a page; `version` keeps those of a changed file apart."""
    del version
    from langchain_kimi.rag.ingest.pdf import open_pdf

    with PDFIUM_LOCK, open_pdf(path) as document:
        page = document[number - 1]
        try:
            return tuple(read_words(page, PageFrame(page)))
        finally:
            page.close()


def _box_of_region(corpus: Corpus, found: Found, quote: str) -> Box | None:
    """Return the box of the smallest region that holds a quote: scans, tables, pictures."""
    holding = [
        unit.box
        for unit in regions_of(corpus, found)
        if unit.box is not None and locate(quote, f"{unit.caption}\n{unit.text}")
    ]
    return min(holding, key=lambda box: box.area) if holding else None


def regions_of(corpus: Corpus, found: Found) -> list[Unit]:
    """Return the regions of a page that were read from it, not those that a model described."""
    where = Filter(documents=(found.document.id,), pages=(found.page, found.page))
    units = corpus.store.units(corpus.namespace, level="chunk", where=where)
    return [unit for unit in units if unit.kind != "enrichment"]


def _cue_span(found: Found, quote: str) -> tuple[float, float] | None:
    """Return the seconds of the subtitles beside a video that hold a quote."""
    try:
        beside = sidecar(unchanged(found.document))
        text = beside.read_text("utf-8", "replace") if beside else ""
    except (RagError, OSError):
        return None
    first, last = found.start or 0.0, found.end or 0.0
    cues = [cue for cue in parse_cues(text) if cue.start < last and cue.end > first]
    for width in (1, 2, 3):
        for run in _runs(cues, width):
            if locate(quote, " ".join(cue.text for cue in run)):
                return run[0].start, run[-1].end
    return None


def _runs(items: Sequence[Cue], width: int) -> Iterable[Sequence[Cue]]:
    return (items[at : at + width] for at in range(len(items) - width + 1))
