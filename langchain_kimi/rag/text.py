"""From text to the tokens that are indexed and searched."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

import snowballstemmer

ANALYSER = "2"
"""Version of the analysis: an index made with another one is stale."""

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "me",
        "my",
        "of",
        "on",
        "or",
        "our",
        "should",
        "so",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "to",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "while",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
_TOKEN = re.compile(r"[^\W_]+(?:[.,]\d+)*")
_YEAR = re.compile(r"([a-z]{1,2}\d?)?((?:19|20)\d\d)([a-z]{1,2}\d?)?")
"""A year with what is written onto it: FY2021, Q32015, 2023Q4."""
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")
_STEMMER = snowballstemmer.stemmer("english")


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str:
    if word.isascii() and word.isalpha() and len(word) < 40:
        stemmed: str = _STEMMER.stemWord(word)
        return stemmed
    return word.replace(",", "")


def tokens(text: str) -> list[str]:
    """Return the stems of the words that carry meaning, in order.

    Scripts without spaces between words become pairs of characters.
    """
    folded = unicodedata.normalize("NFKC", text).lower()
    found: list[str] = []
    for match in _TOKEN.finditer(folded):
        word = match.group()
        if word in STOP_WORDS:
            continue
        if _WIDE.search(word):
            found.extend(_wide_tokens(word))
        elif year := _YEAR.fullmatch(word):
            found.extend(part for part in year.groups() if part)
        else:
            found.append(_stem(word))
    return found


def _wide_tokens(word: str) -> Iterable[str]:
    start = 0
    for match in _WIDE.finditer(word):
        if match.start() > start:
            yield _stem(word[start : match.start()])
        run = match.group()
        yield from (run[i : i + 2] for i in range(len(run) - 1)) if len(run) > 1 else (run,)
        start = match.end()
    if start < len(word):
        yield _stem(word[start:])


def pairs(words: list[str]) -> set[tuple[str, str]]:
    """Return the neighbouring pairs of a token list."""
    return set(itertools.pairwise(words))
