"""Where a quote stands: the box of its words on a page, the seconds of its cue in a video."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from langchain_kimi.rag.answer.printed import find_printed
from langchain_kimi.rag.answer.quotes import locate, whole_words
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.errors import RagError
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import Filter, Unit
from langchain_kimi.rag.ingest.subtitles import Cue, parse_cues, sidecar
from langchain_kimi.rag.pictures import unchanged
from langchain_kimi.rag.retrieve.search import Found


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
    if found.start is not None:
        start, end = _cue_span(found, quote) or (found.start, found.end)
        return Place(held, start=start, end=end) if held is not None else None
    regions = regions_of(corpus, found)
    printed = _printed(corpus, found, quote, [one.box for one in regions if one.box is not None])
    if printed is not None:
        return Place(held or printed[0], box=printed[1])
    return Place(held, box=_box_of_region(regions, quote)) if held is not None else None


def _printed(
    corpus: Corpus, found: Found, quote: str, regions: Sequence[Box]
) -> tuple[str, Box] | None:
    if found.document.media_type != "application/pdf":
        return None
    try:
        return find_printed(corpus, found, quote, regions)
    except RagError:
        return None  # a file that has gone leaves what the index holds of it


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


def _box_of_region(regions: Iterable[Unit], quote: str) -> Box | None:
    """Return the box of the smallest region that holds a quote, where words have no boxes."""
    holding = [
        unit.box
        for unit in regions
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
