"""Signs on a page that a question names: page numbers, items, kinds of content, its shape."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_kimi.rag.index.records import Unit
from langchain_kimi.rag.retrieve.question import Question
from langchain_kimi.rag.retrieve.weights import Weights


def sign_score(question: Question, unit: Unit, weights: Weights) -> float:
    """Score the page numbers, items and kinds of content that the question names."""
    refs = set(unit.refs.split())
    labels = [ref for ref in question.pages if ref.startswith("label:")]
    positions = [ref for ref in question.pages if ref.startswith("page:")]
    # One of the two: a page says no more by having the number both printed and counted.
    score = max(
        weights.label * any(ref in refs for ref in labels),
        weights.position * any(ref in refs for ref in positions),
    )
    score += weights.item * _count(question.items, refs)
    score += weights.mention * _count([f"see:{ref}" for ref in question.items], refs)
    score += weights.kind * (question.wants_table and "has:table" in refs)
    score += weights.kind * (question.wants_figure and "has:figure" in refs)
    score += weights.photo * (question.wants_photo and "has:photo" in refs)
    score += weights.slide * (question.wants_slide and "shape:slide" in refs)
    return score


def _count(wanted: Sequence[str], refs: set[str]) -> int:
    return sum(ref in refs for ref in wanted)
