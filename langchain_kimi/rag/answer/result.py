"""The answer as data: text with numbered citations, claims, and what was searched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr

from langchain_kimi.rag.retrieve.search import clock

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_kimi.rag.corpus import Corpus

Confidence = Literal["high", "medium", "low", "none"]
Status = Literal["answered", "partly", "not_answered"]


class Citation(BaseModel):
    """A place in a document that a statement rests on."""

    model_config = ConfigDict(frozen=True)

    number: int
    """The `[n]` in the answer's text."""
    id: str
    """The page's or scene's id in the index."""
    file: str
    """Path of the document, relative to the folder it came from."""
    sha256: str
    page: int
    """Counted from 1; the number of the scene in a video."""
    label: str = ""
    """Page numbers as printed."""
    start: float | None = None
    end: float | None = None
    """Time span in seconds, in a video."""
    quote: str = ""
    """Words that stand on the page, as the page has them; empty for what is only seen."""
    seen: str = ""
    """What the model says a picture shows; code cannot check it."""
    box: tuple[float, float, float, float] | None = None
    """Where the quote or region stands, in points of a page or pixels of a picture."""
    page_size: tuple[float, float] | None = None

    @property
    def place(self) -> str:
        """Return the place to read: `report.pdf, page 7` or `talk.mp4, 01:05–01:20`."""
        if self.start is not None and self.end is not None:
            return f"{self.file}, {clock(self.start)}–{clock(self.end)}"
        return f"{self.file}, page {self.page}"

    @property
    def middle(self) -> float:
        """Return the second whose frame stands for a span of a video."""
        return ((self.start or 0.0) + (self.end or 0.0)) / 2

    @property
    def link(self) -> str:
        """Return the place as viewers take it: `report.pdf#page=7` or `talk.mp4#t=65,80`."""
        if self.start is not None and self.end is not None:
            return f"{self.file}#t={self.start:g},{self.end:g}"
        return f"{self.file}#page={self.page}"


class Claim(BaseModel):
    """A statement of the answer."""

    model_config = ConfigDict(frozen=True)

    text: str
    citations: tuple[int, ...] = ()
    confidence: Confidence
    """`high`: quoted, and its numbers are in the quotes. `medium`: quoted. `low`: only seen in a
    picture, or not cited. `none`: what it cited does not hold it."""
    note: str = ""
    """Why the confidence is not high."""


class DroppedQuote(BaseModel):
    """A quote that the model gave and its page does not hold."""

    model_config = ConfigDict(frozen=True)

    quote: str
    place: str
    reason: str


class Searched(BaseModel):
    """What was looked at."""

    model_config = ConfigDict(frozen=True)

    queries: tuple[str, ...] = ()
    rounds: int = 0
    documents: int = 0
    """Documents of the corpus."""
    candidates: int = 0
    shown: int = 0
    """Pages, scenes and sections before the model in the last round."""
    shown_as_pictures: int = 0
    evidence_tokens: int = 0
    whole: bool = False
    """Whether all candidates were before the model."""


class Usage(BaseModel):
    """Tokens of all model calls of a question."""

    model_config = ConfigDict(frozen=True)

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


class Answer(BaseModel):
    """An answer whose quotes were found on their pages by code."""

    model_config = ConfigDict(frozen=True)

    question: str
    text: str
    """The answer with `[n]` behind each statement; what is not borne out says so."""
    status: Status
    claims: tuple[Claim, ...] = ()
    citations: tuple[Citation, ...] = ()
    dropped: tuple[DroppedQuote, ...] = ()
    searched: Searched = Searched()
    usage: Usage = Usage()
    stand_in: bool = False
    """Whether rules answered in place of a model."""
    _corpus: Corpus | None = PrivateAttr(default=None)

    def with_pictures_of(self, corpus: Corpus) -> Answer:
        """Return the answer able to show thumbnails of its pages in a notebook."""
        shown = self.model_copy()
        shown._corpus = corpus  # noqa: SLF001  another instance of this class
        return shown

    def to_html(self, corpus: Corpus | None = None, *, folder: Path | None = None) -> str:
        """Return a page of its own, with thumbnails, that loads nothing from elsewhere.

        Args:
            corpus: Where the pages are drawn from; None for the corpus that answered.
            folder: Where the page will lie; each source then links to its document from there.
        """
        from langchain_kimi.rag.answer.html import html_report

        return html_report(self, corpus or self._corpus, folder=folder)

    def _repr_html_(self) -> str:
        from langchain_kimi.rag.answer.html import html_part

        return html_part(self, self._corpus)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Answer:
        """Return itself: nothing in it changes, and the corpus behind it is shared."""
        return self
