"""What the best pages say about others: the words they share, and their neighbourhood."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from langchain_kimi.rag.retrieve.candidates import Candidates, PageKey

_READ = 100
_TRUSTED = 2
_TERMS = 15
_SATURATION, _LENGTH = 1.2, 0.75


def add_feedback(words: Sequence[str], weight: float, found: Candidates) -> None:
    """Add the words that mark the best pages, on whichever page they stand (as in RM3)."""
    keys = found.best(_READ)
    if not weight or len(keys) <= _TRUSTED:
        return
    bodies = {key: Counter(found.pages[key].body.split()) for key in keys}
    having = Counter(word for body in bodies.values() for word in body)
    rarity = {word: math.log1p(len(keys) / count) for word, count in having.items()}
    terms = _terms(words, found, bodies, rarity)
    mean = sum(body.total() for body in bodies.values()) / len(keys) or 1.0
    scores = {}
    for key, body in bodies.items():
        length = _SATURATION * (1 - _LENGTH + _LENGTH * body.total() / mean)
        scores[key] = sum(rarity[term] * body[term] / (body[term] + length) for term in terms)
    found.add(scores, weight)


def _terms(
    words: Sequence[str],
    found: Candidates,
    bodies: Mapping[PageKey, Counter[str]],
    rarity: Mapping[str, float],
) -> list[str]:
    """Return the words that mark the best pages and are not in the question."""
    marks: Counter[str] = Counter()
    for key in list(bodies)[:_TRUSTED]:
        total = bodies[key].total() or 1
        for word, count in bodies[key].items():
            if word not in words and not word[0].isdigit():
                marks[word] += max(found.scores[key], 0.0) * count / total * rarity[word]  # type: ignore[assignment]
    return [word for word, _ in sorted(marks.items(), key=lambda entry: (-entry[1], entry[0]))][
        :_TERMS
    ]


def add_neighbours(weight: float, found: Candidates) -> None:
    """Draw a page nearer to a better page right before or after it; the best stay the best."""
    before = dict(found.scores)
    for name, page in found.pages:
        own = before.get((name, page), 0.0)
        near = max(before.get((name, page - 1), own), before.get((name, page + 1), own))
        found.scores[name, page] = own + weight * max(near - own, 0.0)
