"""Finding a quote in a text: the same words in the same order, however they are set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_WIDE = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_TOKEN = re.compile(rf"(?:(?<![\w.,)])[-−–])?\d+(?:[.,]\d+)*|[{_WIDE}]|[^\W\d_{_WIDE}]+|[%‰$€£¥]")
_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.)\]?")
_BROKEN = re.compile(r"(?<=[^\W\d_])(?:\u00ad|-)[ \t]*\n\s*(?=[a-z])")
_NUMBER = re.compile(r"\d")
_FOLDED = str.maketrans({"−": "-", "–": "-", "\u00ad": "", "\ufffe": ""})
_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign, and where it stands."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Return the words, numbers (with their sign) and signs of a text, folded."""
    found = []
    for match in _TOKEN.finditer(text):
        folded = unicodedata.normalize("NFKC", match.group()).translate(_FOLDED).casefold()
        if folded:
            found.append(Token(folded, match.start(), match.end()))
    return found


def whole_words(text: str) -> str:
    """Return a text with words that a line break cut in two made whole."""
    return _BROKEN.sub("", unicodedata.normalize("NFKC", text))


def locate(quote: str, text: str) -> list[tuple[int, int]]:
    """Return where the parts of a quote stand in a text, in order; nothing when one is missing.

    Letter case, spaces, line breaks, punctuation and the bars of tables do not count; words,
    numbers, their signs, percent and currency do. An ellipsis parts a quote.

    Args:
        quote: As the model gave it.
        text: Of the page.
    """
    held = tokens_of(text)
    return [
        (held[first].start, held[last].end)
        for first, last in locate_tokens(quote, [token.text for token in held])
    ]


def locate_tokens(quote: str, held: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first and last token of each part of a quote in a list of folded tokens."""
    parts = parts_of(quote)
    if not is_telling([word for part in parts for word in part]):
        return []
    places: list[tuple[int, int]] = []
    start = 0
    for part in parts:
        at = _find(part, held, start)
        if at < 0:
            return []
        start = at + len(part)
        places.append((at, start - 1))
    return places


def parts_of(quote: str) -> list[list[str]]:
    """Return the folded tokens of each part of a quote; an ellipsis parts it."""
    parts = ([token.text for token in tokens_of(part)] for part in _ELLIPSIS.split(quote))
    return [part for part in parts if part]


def is_telling(words: Sequence[str]) -> bool:
    """Tell whether words can stand as a quote: two of them, a number, or one that is not tiny."""
    return len(words) > 1 or any(
        _NUMBER.search(word) or len(word) >= _LEAST_LETTERS for word in words
    )


def numbers_of(text: str) -> set[str]:
    """Return the numbers of a text, without separators of thousands."""
    return {
        re.sub(r",(?=\d{3}(?:\D|$))", "", token.text).lstrip("-")
        for token in tokens_of(text)
        if _NUMBER.search(token.text)
    }


def _find(part: Sequence[str], held: Sequence[str], start: int) -> int:
    """Return where a run of tokens stands, or -1."""
    first, length = part[0], len(part)
    wanted = list(part)
    for at in range(start, len(held) - length + 1):
        if held[at] == first and list(held[at : at + length]) == wanted:
            return at
    return -1
