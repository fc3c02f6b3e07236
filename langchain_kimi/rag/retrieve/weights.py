"""How much each sign of a match counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the parts of a page's score; the lexical parts are scaled to 0–1 first."""

    page: float = 0.25
    """BM25 of the whole page."""
    chunk: float = 0.75
    """BM25 of the best chunk on the page, with its headings and caption."""
    pair: float = 0.5
    """Share of the question's word pairs that stand on the page."""
    document: float = 0.5
    """BM25 of the whole document; of no effect within one document."""
    name: float = 0.4
    """Names and numbers of the question in the whole document."""
    title: float = 0.3
    """Words of the question in the document's title and file name."""
    expansion: float = 0.4
    """Analyst's terms in the words of filings."""
    label: float = 1.2
    """The page number that the question names, as printed."""
    position: float = 1.0
    """The page number that the question names, counted from the front."""
    item: float = 0.5
    """The figure, table or section that the question names, at its caption or heading."""
    mention: float = 0.12
    """The same, mentioned in the text."""
    kind: float = 0.1
    """A table or a figure, when the question asks about one."""
    photo: float = 0.1
    """A photograph, when the question is about what pictures show."""
    slide: float = 0.3
    """The shape of a slide, when the question is about slides."""
    feedback: float = 0.15
    """Words of the best pages on other pages."""
    neighbour: float = 0.2
    """Share of what the better neighbour has more that a page gets."""
    dense: float = 0.35
    """Cosine of the best unit, when the corpus has an embedding model."""
    picture: float = 0.5
    """Cosine of the page's picture to the question, when the model sees pictures."""
    by_picture: float = 1.0
    """Cosine of the page's picture to the question's picture."""
