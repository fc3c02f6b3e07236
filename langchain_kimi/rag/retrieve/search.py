"""Search a corpus: pages, each with the regions that match best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.embeddings import Embeddings
from PIL import Image

from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, Unit
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.retrieve.candidates import Candidates, PageKey
from langchain_kimi.rag.retrieve.context import add_neighbours
from langchain_kimi.rag.retrieve.dense import add_dense
from langchain_kimi.rag.retrieve.lexical import lexical_candidates
from langchain_kimi.rag.retrieve.question import read_question
from langchain_kimi.rag.retrieve.weights import Weights


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of a page that matches, with its box in page points."""

    kind: str
    text: str
    box: Box | None
    caption: str
    headings: tuple[str, ...]
    score: float
    origin: str
    """`layer`, `ocr`, or `model` for a caption that a model wrote: no text of the document."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A page or scene that matches a question, and where it came from."""

    document: DocumentRecord
    page: int
    """Counted from 1; the number of the scene in a video."""
    label: str
    """Page numbers as printed, separated by spaces."""
    text: str
    score: float
    page_size: tuple[float, float] | None
    start: float | None
    end: float | None
    regions: tuple[Region, ...]

    @property
    def place(self) -> str:
        """The place to cite: `report.pdf, page 7` or `talk.mp4, 01:05–01:20`."""
        if self.start is not None and self.end is not None:
            return f"{self.document.path}, {clock(self.start)}–{clock(self.end)}"
        return f"{self.document.path}, page {self.page}"


def clock(seconds: float) -> str:
    """Return a time as `mm:ss`, with hours when there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


class Searcher:
    """Ranks pages of a namespace by full text, references and, if given, vectors."""

    def __init__(
        self,
        store: Store,
        namespace: str,
        weights: Weights | None = None,
        embeddings: Embeddings | None = None,
    ) -> None:
        self._store = store
        self._namespace = namespace
        self._weights = weights or Weights()
        self._embeddings = embeddings

    def rank(
        self, question: str, where: Filter | None = None, picture: Image.Image | None = None
    ) -> list[tuple[Unit, float, list[Hit]]]:
        """Return all candidate pages, the best first, each with its matching chunks."""
        where = where or Filter()
        found = lexical_candidates(
            self._store, self._namespace, read_question(question), where, self._weights
        )
        if self._embeddings is not None:
            add_dense(
                self._store,
                self._namespace,
                self._embeddings,
                question,
                picture,
                where,
                self._weights,
                found,
            )
        add_neighbours(self._weights.neighbour, found)
        keys = [key for key in found.pages if _allowed(key, where, found)]
        keys.sort(key=lambda key: (-found.scores[key], key))
        return [(found.pages[key], found.scores[key], found.chunks.get(key, [])) for key in keys]

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        where: Filter | None = None,
        picture: Image.Image | None = None,
    ) -> list[Found]:
        """Return the best `k` pages."""
        if k < 1:
            msg = f"k is {k}: ask for at least one page"
            raise ValueError(msg)
        ranked = self.rank(question, where, picture)[:k]
        ids = list(dict.fromkeys(unit.document_id for unit, _, _ in ranked))
        documents = {one.id: one for one in self._store.documents(self._namespace, ids)}
        return [
            found_page(unit, documents[unit.document_id], score, chunks)
            for unit, score, chunks in ranked
            if unit.document_id in documents
        ]


def _allowed(key: PageKey, where: Filter, found: Candidates) -> bool:
    """With a filter on kinds of regions, only pages with such a region count."""
    return not where.kinds or bool(found.chunks.get(key)) or found.pages[key].kind in where.kinds


def found_page(
    unit: Unit, document: DocumentRecord, score: float = 0.0, chunks: Sequence[Hit] = ()
) -> Found:
    """Return a page as a result, with its best regions."""
    best = sorted(chunks, key=lambda hit: -hit.score)[:5]
    return Found(
        document=document,
        page=unit.page,
        label=unit.label,
        text=unit.text,
        score=score,
        page_size=unit.page_size,
        start=unit.start,
        end=unit.end,
        regions=tuple(
            Region(
                kind=hit.unit.kind,
                text=hit.unit.text,
                box=hit.unit.box,
                caption=hit.unit.caption,
                headings=hit.unit.headings,
                score=hit.score,
                origin=hit.unit.origin,
            )
            for hit in best
        ),
    )
