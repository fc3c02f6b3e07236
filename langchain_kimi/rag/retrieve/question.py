"""What a question asks for: words, pages, items, kinds of content, a document."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_kimi.rag.references import item_refs, page_refs, without_pages
from langchain_kimi.rag.retrieve.vocabulary import expansions
from langchain_kimi.rag.text import tokens

_ANSWER_FORMAT = re.compile(
    r"(?:please\s+)?(?:directly\s+)?(?:write|answer|give|provide|return|report|save|round|enumerate)"
    r"\b[^.?]*\b(?:format|lists?|floa?t|int|integer|order|decimal|string)\b[^?]*$",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\b(?:tables?|tabular|columns?|rows?)\b", re.IGNORECASE)
_FIGURE = re.compile(
    r"\b(?:figures?|charts?|graphs?|diagrams?|images?|pictures?|photos?|logos?|icons?|plots?|pie"
    r"|bars?|maps?|illustrat\w*|screenshots?|colou?rs?|people|persons?|wear\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Question:
    """A question as the index sees it."""

    words: tuple[str, ...]
    expansion: tuple[str, ...]
    pages: tuple[str, ...]
    items: tuple[str, ...]
    wants_table: bool
    wants_figure: bool


def read_question(text: str) -> Question:
    """Take a question apart; how the answer is to be written is no part of the search."""
    content = without_pages(_ANSWER_FORMAT.sub(" ", text))
    words = tokens(content) or tokens(text)
    return Question(
        words=tuple(dict.fromkeys(words)),
        expansion=tuple(expansions(text)),
        pages=tuple(page_refs(text)),
        items=tuple(item_refs(text)),
        wants_table=bool(_TABLE.search(text)),
        wants_figure=bool(_FIGURE.search(text)),
    )
