"""`create_multimodal_rag`: the graph that answers from a corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableLambda
from langgraph.graph import START, StateGraph

from langchain_kimi.agents.default_model import default_model
from langchain_kimi.rag.answer.budget import EvidenceBudget
from langchain_kimi.rag.answer.nodes import Nodes
from langchain_kimi.rag.answer.options import Answering, BudgetOf, CorpusOf, ModelOf, Options
from langchain_kimi.rag.answer.state import RagInput, RagOutput, RagState
from langchain_kimi.rag.answer.verdict import Verdict
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.rerank.reranker import Reranker

if TYPE_CHECKING:
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer


def create_multimodal_rag(
    corpus: Corpus | CorpusOf,
    model: Answering | ModelOf | str | None = None,
    *,
    budget: EvidenceBudget | BudgetOf | None = None,
    where: Filter | None = None,
    reranker: Reranker | None = None,
    rounds: int = 2,
    understand: bool = True,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    context_schema: type[Any] | None = None,
    name: str = "multimodal_rag",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create a graph that answers questions from documents, pictures and videos.

    The model sees the pages themselves: the whole document when it fits the budget, else the best
    pages sharp and the others small or as text, crops of the regions that match, and frames. Each
    quote of its answer is looked up on its page by code; one that is not there is dropped and the
    claim marked.

    Example:
        ```python
        from langchain_kimi.rag import Corpus
        from langchain_kimi.rag.answer import create_multimodal_rag

        corpus = Corpus(".kimi-corpus")
        corpus.ingest("reports")
        graph = create_multimodal_rag(corpus)
        question = {"role": "user", "content": "How did sales of oats develop?"}
        answer = graph.invoke({"messages": [question]})["answer"]
        print(answer.text, [citation.link for citation in answer.citations])
        ```

    Args:
        corpus: Where to look. No call reaches beyond its namespace. A function of the run's context
            gives each run its own.
        model: A chat model that sees pictures, the id of a Kimi model, None for `default_model()`:
            your endpoint by the environment, else a stand-in that quotes and is no model; or a
            function of the run's context.
        budget: Tokens for evidence; 96,000 by default. Or a function of the run's context.
        where: Conditions that each page meets.
        reranker: Puts the best pages in a better order; by default the corpus's own, if any.
        rounds: How many times it may search: again when something is missing or not borne out.
        understand: Whether the model first turns the conversation into searches. Without it, one
            call less: the last message is searched for as it is.
        checkpointer: Keeps threads; a checkpoint holds ids and text, no pixels of the corpus.
        store: Keeps data across threads.
        context_schema: The type of `Runtime.context`.
        name: The graph's name.

    Returns:
        The compiled graph. It takes `messages`; the last one asks, in words, with a picture, or
        with both. It gives `messages` and `answer`, an `Answer`. The stream mode `custom` has a
        `RagEvent` for each step, `messages` the tokens and the reasoning.

    Raises:
        KimiInvalidInputError: When an argument is of a wrong kind, or `rounds` is below 1.
    """
    options = Options(
        corpus=corpus,
        model=default_model(model=model) if model is None or isinstance(model, str) else model,
        budget=EvidenceBudget() if budget is None else budget,
        where=where,
        reranker=reranker,
        rounds=rounds,
        understand=understand,
    )
    nodes, verdict = Nodes(options), Verdict(options)
    graph = StateGraph(
        RagState,
        context_schema=context_schema,
        input_schema=RagInput,
        output_schema=RagOutput,
    )
    graph.add_node("understand", RunnableLambda(nodes.understand, nodes.aunderstand))
    graph.add_node("retrieve", nodes.retrieve)
    graph.add_node("rerank", nodes.rerank)
    graph.add_node("pack", nodes.pack)
    graph.add_node("answer", RunnableLambda(nodes.answer, nodes.aanswer))
    graph.add_node("check", verdict.check)
    graph.add_edge(START, "understand")
    graph.add_edge("understand", "retrieve")
    graph.add_edge("retrieve", "rerank")
    graph.add_edge("rerank", "pack")
    graph.add_edge("pack", "answer")
    graph.add_edge("answer", "check")
    return graph.compile(checkpointer=checkpointer, store=store, name=name)
