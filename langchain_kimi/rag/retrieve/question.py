"""What a question asks for: words, pages, items, kinds of content, a document."""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_kimi.rag.references import item_refs, page_refs, without_pages
from langchain_kimi.rag.retrieve.vocabulary import expansions
from langchain_kimi.rag.text import tokens

_ANSWER_FORMAT = re.compile(
    r"(?:please\s+)?(?:directly\s+)?(?:write|answer|give|provide|return|report|save|round|enumerate)"
    r"\b[^.?]{0,300}\b(?:format|lists?|floa?t|int|integer|order|decimal|string)\b[^?]{0,300}$",
    re.IGNORECASE,
)
_TABLE = re.compile(r"\b(?:tables?|tabular|columns?|rows?)\b", re.IGNORECASE)
_FIGURE = re.compile(
    r"\b(?:figures?|charts?|graphs?|diagrams?|images?|pictures?|photos?|logos?|icons?|plots?|pie"
    r"|bars?|maps?|illustrat\w*|screenshots?|colou?rs?|people|persons?|wear\w*)\b",
    re.IGNORECASE,
)
_PHOTO = re.compile(
    r"\b(?:images?|pictures?|photos?|photographs?|figures?|logos?|icons?|screenshots?|animals?"
    r"|people|persons?|m[ae]n|wom[ae]n|males?|females?|child(?:ren)?|dogs?|cats?|wear\w*)\b",
    re.IGNORECASE,
)
_SLIDE = re.compile(r"\b(?:slides?|presentation|deck)\b", re.IGNORECASE)
_NAME = re.compile(r"\b(?:[A-Z][\w&.-]*\w|\w*\d\w*)\b")


@dataclass(frozen=True)
class Question:
    """A question as the index sees it."""

    words: tuple[str, ...]
    expansion: tuple[str, ...]
    pages: tuple[str, ...]
    items: tuple[str, ...]
    names: tuple[str, ...]
    """Words with capitals or digits: what a document is likely to be known by."""
    wants_table: bool
    wants_figure: bool
    wants_photo: bool
    wants_slide: bool


def read_question(text: str) -> Question:
    """Take a question apart; how the answer is to be written is no part of the search."""
    content = without_pages(_ANSWER_FORMAT.sub(" ", text))
    words = tokens(content) or tokens(text)
    return Question(
        words=tuple(dict.fromkeys(words)),
        expansion=tuple(expansions(text)),
        pages=tuple(page_refs(text)),
        items=tuple(item_refs(text)),
        names=tuple(_names(content)),
        wants_table=bool(_TABLE.search(text)),
        wants_figure=bool(_FIGURE.search(text)),
        wants_photo=bool(_PHOTO.search(text)),
        wants_slide=bool(_SLIDE.search(text)),
    )


def _names(text: str) -> list[str]:
    """Return the tokens of names and numbers, and of names in two words as one: `bestbuy`."""
    found: list[str] = []
    before: re.Match[str] | None = None
    for match in _NAME.finditer(text):
        capital = match.group()[0].isupper()
        if match.start() == 0 and not match.group().isupper():
            before = match if capital else None
            continue
        found += tokens(match.group())
        if capital and before is not None and text[before.end() : match.start()] == " ":
            found += tokens(before.group() + match.group())
        before = match if capital else None
    return list(dict.fromkeys(found))
