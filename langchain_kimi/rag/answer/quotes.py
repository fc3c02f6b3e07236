"""Finding a quote in a text: the same words in the same order, however they are set."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_WIDE = (
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # kana, Chinese characters
    r"\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
)
"""Scripts that put no spaces between words: each character counts for itself."""
_UNSEEN = r"\u00ad\u0640\u200b-\u200f\u2060\ufeff\ufffe"
"""What sets words and is no letter: soft hyphens, joiners, marks of direction, the tatweel."""
_POINTS = r"\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc"
"""Vowels of Hebrew and Arabic, which texts leave out as they like."""
_LETTER = rf"[^\W\d_{_WIDE}\u0640]"
_TOKEN = re.compile(
    rf"(?:(?<![\w.,)])[-−–])?\d+(?:[.,]\d+)*|[{_WIDE}]"
    rf"|{_LETTER}(?:[\u0300-\u036f{_UNSEEN}{_POINTS}]*{_LETTER})*[\u0300-\u036f{_POINTS}]*"
    r"|[%‰$€£¥]"
)
_ELLIPSIS = re.compile(r"\[?(?:…|\.\.\.)\]?")
_BROKEN = re.compile(r"(?<=[^\W\d_])(?:\u00ad|-)[ \t]*\n\s*(?=([^\W\d_]))")
_NUMBER = re.compile(r"\d")
_LEFT_OUT = re.compile(rf"[{_UNSEEN}{_POINTS}]")
_MINUS = str.maketrans("−–", "--")
_LEAST_LETTERS = 4


@dataclass(frozen=True, slots=True)
class Token:
    """A word, number or sign, and where it stands."""

    text: str
    start: int
    end: int


def tokens_of(text: str) -> list[Token]:
    """Return the words, numbers (with their sign) and signs of a text, folded."""
    return [
        Token(_folded(match.group()), match.start(), match.end()) for match in _TOKEN.finditer(text)
    ]


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKC", _LEFT_OUT.sub("", word)).translate(_MINUS).casefold()
    return "".join(str(int(one)) if one.isdecimal() else one for one in plain)


def whole_words(text: str) -> str:
    """Return a text with words that a line break cut in two made whole."""
    whole = unicodedata.normalize("NFKC", text)
    return _BROKEN.sub(lambda cut: "" if cut[1].islower() else cut[0], whole)


def locate(quote: str, text: str) -> list[tuple[int, int]]:
    """Return where the parts of a quote stand in a text, in order; nothing when one is missing.

    Letter case, spaces, line breaks, punctuation and the bars of tables do not count, nor do soft
    hyphens, the vowel points of Hebrew and Arabic, and the script of digits; words, numbers, their
    signs, percent and currency do. An ellipsis parts a quote.

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
        at = find_run(part, held, start)
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


def find_run(part: Sequence[str], held: Sequence[str], start: int) -> int:
    """Return where a run of tokens stands, or -1."""
    first, length = part[0], len(part)
    wanted = list(part)
    for at in range(start, len(held) - length + 1):
        if held[at] == first and list(held[at : at + length]) == wanted:
            return at
    return -1
