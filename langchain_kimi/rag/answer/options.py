"""What a multimodal RAG graph is made with; each part fixed, or chosen by the run's context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langgraph.runtime import Runtime, get_runtime

from langchain_kimi.binding import KimiBinding
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.limits import check_count
from langchain_kimi.rag.answer.budget import EvidenceBudget
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.rerank.reranker import Reranker

Answering = BaseChatModel | KimiBinding
"""What plans and answers: a chat model, as it is or bound."""
ModelOf = Callable[[Any], Answering]
CorpusOf = Callable[[Any], Corpus]
BudgetOf = Callable[[Any], EvidenceBudget]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parts of a graph."""

    corpus: Corpus | CorpusOf
    model: Answering | ModelOf
    budget: EvidenceBudget | BudgetOf
    where: Filter | None
    reranker: Reranker | None
    rounds: int
    understand: bool

    def __post_init__(self) -> None:
        """Refuse what no run could use.

        Raises:
            KimiInvalidInputError: A part is of a wrong kind.
        """
        reads = self.reranker is None or callable(self.reranker)
        parts = {
            "corpus": (_is(self.corpus, Corpus), "Give Corpus(folder)."),
            "model": (_is(self.model, Answering), "Give a chat model, its id, or None."),
            "budget": (_is(self.budget, EvidenceBudget), "Give EvidenceBudget(tokens=...)."),
            "where": (isinstance(self.where, Filter | None), "Give Filter(...), or None."),
            "reranker": (reads, "Give a function of a question and pages, or None."),
        }
        for name, (fits, advice) in parts.items():
            if not fits:
                msg = f"{name} is of type {type(getattr(self, name)).__name__}. {advice}"
                raise KimiInvalidInputError(msg)
        check_count("rounds", self.rounds, least=1, advice="The graph searches at least once.")


def _is(part: Any, kind: Any) -> bool:
    """Tell whether a part is of its kind, or a function of the run's context."""
    return isinstance(part, kind) or (callable(part) and not isinstance(part, type | Runnable))


class Run:
    """The parts of the run that is going on, by its context."""

    def __init__(self, options: Options) -> None:
        self.options = options
        runtime: Runtime[Any] = get_runtime()
        self._context = runtime.context

    @property
    def corpus(self) -> Corpus:
        """Return the corpus, bound to the run's namespace."""
        corpus = self.options.corpus
        return corpus if isinstance(corpus, Corpus) else corpus(self._context)

    @property
    def model(self) -> Answering:
        """Return the chat model."""
        model = self.options.model
        return model if isinstance(model, Answering) else model(self._context)

    @property
    def budget(self) -> EvidenceBudget:
        """Return the budget of evidence."""
        budget = self.options.budget
        return budget if isinstance(budget, EvidenceBudget) else budget(self._context)
