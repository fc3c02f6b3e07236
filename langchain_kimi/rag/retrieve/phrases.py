"""Neighbouring words of the question that stand side by side on a page, too."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from langchain_kimi.rag.retrieve.candidates import Candidates
from langchain_kimi.rag.text import pairs


def add_pairs(words: Sequence[str], weight: float, found: Candidates) -> None:
    """Add the share of the question's word pairs, the rarer ones counting more."""
    wanted = sorted(pairs(list(words)))
    if not wanted or not weight:
        return
    phrases = [f" {first} {second} " for first, second in wanted]
    present = {}
    for key, unit in found.pages.items():
        body = f" {unit.body} "
        present[key] = [index for index, phrase in enumerate(phrases) if phrase in body]
    counts = Counter(index for indices in present.values() for index in indices)
    value = [math.log(1 + len(present) / max(counts[index], 1)) for index in range(len(phrases))]
    whole = sum(value)
    for key, indices in present.items():
        found.scores[key] += weight * sum(value[index] for index in indices) / whole
