"""Sources: what was chosen, with its text from the index; and pages fetched by their ids."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from langchain_kimi.rag.answer.candidates import head_of, shown_text
from langchain_kimi.rag.answer.pack import Slot
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Unit
from langchain_kimi.rag.retrieve.search import Found, found_page

_BATCH = 400
_FEW_NUMBERS = 3
_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(frozen=True, slots=True)
class Source:
    """A page, picture, scene or section before the model."""

    slot: Slot
    found: Found

    @property
    def number(self) -> int:
        """Return the number by which the model names it."""
        return self.slot.number

    @property
    def head(self) -> str:
        """Return the line that names it."""
        return head_of(self.found, self.number)

    @property
    def text(self) -> str:
        """Return the text that is shown; what looks like the head of a source is defused."""
        return shown_text(self.found.text)


def load_sources(corpus: Corpus, slots: Sequence[Slot]) -> list[Source]:
    """Fetch what was chosen; what has left the index since is left out."""
    found = {entry_id(page): page for page in load_pages(corpus, [slot.id for slot in slots])}
    return [Source(slot, found[slot.id]) for slot in slots if slot.id in found]


def load_pages(corpus: Corpus, ids: Sequence[str]) -> list[Found]:
    """Fetch pages of the corpus's namespace by the ids of their units, in the order asked for.

    A table whose numbers the page's text does not have is added to the text.
    """
    units: dict[str, Unit] = {}
    for start in range(0, len(ids), _BATCH):
        where = Filter(ids=tuple(ids[start : start + _BATCH]))
        for unit in corpus.store.units(corpus.namespace, level="page", where=where):
            units[unit.id] = unit
    found = as_found(corpus, (units[one] for one in ids if one in units))
    tables = _tables(corpus, {page.document.id for page in found})
    return [completed(page, tables.get((page.document.id, page.page), ())) for page in found]


def _tables(corpus: Corpus, documents: Iterable[str]) -> dict[tuple[str, int], list[Unit]]:
    """Fetch the tables and figures of documents that have text, by page, the tables first."""
    names = sorted(documents)
    held: dict[tuple[str, int], list[Unit]] = defaultdict(list)
    for kind in ("table", "figure"):
        for start in range(0, len(names), _BATCH):
            where = Filter(documents=tuple(names[start : start + _BATCH]), kinds=(kind,))
            for unit in corpus.store.units(corpus.namespace, level="chunk", where=where):
                if unit.text and unit.origin != "model":
                    held[unit.document_id, unit.page].append(unit)
    return held


def completed(found: Found, regions: Sequence[Unit]) -> Found:
    """Add the text of regions whose numbers the page's text does not have."""
    text = found.text
    held = Counter(_NUMBER.findall(text)) if regions else Counter()
    for region in regions:
        lacking = Counter(_NUMBER.findall(region.text)) - held
        if lacking.total() >= _FEW_NUMBERS:
            text = f"{text}\n{region.text}"
            held += lacking
    return found if text is found.text else replace(found, text=text)


def pages_of(corpus: Corpus, document_id: str, pages: tuple[int, int] | None = None) -> list[Found]:
    """Fetch the pages of a document."""
    where = Filter(documents=(document_id,), pages=pages)
    units = corpus.store.units(corpus.namespace, level="page", where=where)
    return as_found(corpus, units)


def as_found(corpus: Corpus, units: Iterable[Unit]) -> list[Found]:
    """Return units of pages as results."""
    held = list(units)
    ids = list(dict.fromkeys(unit.document_id for unit in held))
    documents: dict[str, DocumentRecord] = {}
    for start in range(0, len(ids), _BATCH):
        records = corpus.store.documents(corpus.namespace, ids[start : start + _BATCH])
        documents |= {record.id: record for record in records}
    return [
        found_page(unit, documents[unit.document_id])
        for unit in held
        if unit.document_id in documents
    ]


def entry_id(found: Found) -> str:
    """Return the id of a page's unit."""
    return f"{found.document.id}:{found.page}"
