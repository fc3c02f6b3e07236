"""What a multimodal RAG graph is made with; each part fixed, or chosen by the run's context."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langgraph.runtime import Runtime, get_runtime

from langchain_kimi.rag.answer.budget import EvidenceBudget
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.rerank.reranker import Reranker

ModelOf = Callable[[Any], BaseChatModel]
CorpusOf = Callable[[Any], Corpus]
BudgetOf = Callable[[Any], EvidenceBudget]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The parts of a graph."""

    corpus: Corpus | CorpusOf
    model: BaseChatModel | ModelOf
    budget: EvidenceBudget | BudgetOf
    where: Filter | None
    reranker: Reranker | None
    rounds: int
    understand: bool


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
    def model(self) -> BaseChatModel:
        """Return the chat model."""
        model = self.options.model
        return model if isinstance(model, BaseChatModel) else model(self._context)

    @property
    def budget(self) -> EvidenceBudget:
        """Return the budget of evidence."""
        budget = self.options.budget
        return budget if isinstance(budget, EvidenceBudget) else budget(self._context)
