"""`create_research_agent`: the background agent, with the multimodal RAG graph as its workers."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.graph.state import CompiledStateGraph

from langchain_kimi.rag import Corpus, Filter
from langchain_kimi.rag.answer import EvidenceBudget, create_multimodal_rag
from langchain_kimi.research.findings import Findings
from langchain_kimi.research.merge import told
from langchain_kimi.swarm import SubAgent, create_background_agent

RESEARCHER = "researcher"


def create_research_agent(
    corpus: Corpus,
    model: BaseChatModel,
    *,
    findings: Findings | str | Path,
    evidence: EvidenceBudget | None = None,
    where: Filter | None = None,
    **options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Make an agent that investigates a question over documents with a fan-out of researchers.

    The leader splits the question; each researcher answers a sub-question from the corpus, sees
    the pages, and cites them; quotes are checked by code. `merge` makes one cited answer of the
    leader's text and the findings.

    Args:
        corpus: Where researchers look.
        model: Leads and answers; it must see pictures.
        findings: Where answers are kept. A question that was answered there is not asked again.
        evidence: Tokens for the evidence of one sub-question.
        where: Conditions that each page meets.
        **options: Further arguments of `create_background_agent`: budget, journal, checkpointer.

    Returns:
        A compiled graph, called as `create_background_agent`'s.
    """
    kept = findings if isinstance(findings, Findings) else Findings(findings)
    graph = create_multimodal_rag(corpus, model, budget=evidence, where=where, understand=False)

    async def investigate(state: dict[str, Any], config: RunnableConfig) -> AIMessage:
        question = state["messages"][-1].text
        answer = kept.known(question)
        if answer is None:
            inside: RunnableConfig = {"callbacks": config.get("callbacks")}
            result = await graph.ainvoke({"messages": [HumanMessage(question)]}, inside)
            answer = result["answer"].model_copy(update={"question": question})
            kept.keep(answer)
        return AIMessage(told(answer))

    researcher = SubAgent(
        name=RESEARCHER,
        description="Answers one question from the documents, with its sources in brackets.",
        runnable=RunnableLambda(investigate),
    )
    prompt = files("langchain_kimi.research").joinpath("prompts/orchestrator.md")
    return create_background_agent(
        model,
        subagents=[researcher],
        system_prompt=prompt.read_text("utf-8"),
        name="research_agent",
        **options,
    )
