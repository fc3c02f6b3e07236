"""Which documents a question is about: softly, so that a wrong guess costs little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.retrieve.candidates import Candidates
from langchain_kimi.rag.retrieve.question import Question
from langchain_kimi.rag.retrieve.weights import Weights

_DEPTH = 200


@dataclass(frozen=True)
class DocumentScores:
    """BM25 of documents by id: of all words, of names and numbers, of words in titles."""

    words: dict[str, float] = field(default_factory=dict)
    names: dict[str, float] = field(default_factory=dict)
    titles: dict[str, float] = field(default_factory=dict)

    def best(self, count: int) -> tuple[str, ...]:
        """Return the documents that fit best."""
        joined: dict[str, float] = {}
        for scores in (self.words, self.names, self.titles):
            highest = max(scores.values(), default=0.0) or 1.0
            for name, score in scores.items():
                joined[name] = joined.get(name, 0.0) + score / highest
        return tuple(sorted(joined, key=lambda name: (-joined[name], name))[:count])

    def add_to(self, found: Candidates, weights: Weights) -> None:
        """Add to the scores of all pages of the documents."""
        found.add_by_document(self.words, weights.document)
        found.add_by_document(self.names, weights.name)
        found.add_by_document(self.titles, weights.title)


def score_documents(
    store: Store, namespace: str, question: Question, where: Filter
) -> DocumentScores:
    """Score the documents of a namespace; of no use where there is but one."""
    if len(where.documents) == 1:
        return DocumentScores()
    whole = replace(where, kinds=(), pages=None)

    def scores(text: Sequence[str] = (), refs: Sequence[str] = ()) -> dict[str, float]:
        hits = store.search(
            namespace, level="document", text=text, refs=refs, where=whole, k=_DEPTH
        )
        return {hit.unit.document_id: hit.score for hit in hits}

    return DocumentScores(
        words=scores(text=question.words),
        names=scores(text=question.names),
        titles=scores(refs=[f"named:{word}" for word in question.words]),
    )
