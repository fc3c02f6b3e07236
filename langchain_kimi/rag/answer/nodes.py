"""The steps of the graph: understand, retrieve, rerank, pack, answer, check."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig

# imported with the graph: on first use its own imports would read files on the event loop
import langchain_kimi.structured_output  # noqa: F401
from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.errors import KimiStructuredOutputError
from langchain_kimi.rag.answer.candidates import candidate_of
from langchain_kimi.rag.answer.events import emit
from langchain_kimi.rag.answer.options import Answering, Options, Run
from langchain_kimi.rag.answer.pack import pack
from langchain_kimi.rag.answer.plan import SearchPlan, conversation, plan_messages
from langchain_kimi.rag.answer.prompt import answer_messages, prompt
from langchain_kimi.rag.answer.query_picture import query_pictures
from langchain_kimi.rag.answer.reply import NOT_FOUND
from langchain_kimi.rag.answer.retrieve import Ranked, retrieve, widen
from langchain_kimi.rag.answer.shots import blocks_of, seen_in
from langchain_kimi.rag.answer.sources import entry_id, load_pages, load_sources
from langchain_kimi.rag.answer.state import (
    RagState,
    freeze_packed,
    freeze_ranked,
    thaw_packed,
    thaw_ranked,
)
from langchain_kimi.rag.answer.stream import InertTokens
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.retrieve.search import Found

NOT_SHOWN = ["nostream", "langsmith:nostream"]
"""Tags of calls whose tokens are not for the user."""

_TOLD = 10
_RERANKED = 30


class Nodes:
    """The nodes of a graph; each reads the parts of its run from the context."""

    def __init__(self, options: Options) -> None:
        self._options = options

    # --- understand -------------------------------------------------------------------------

    def understand(self, state: RagState) -> dict[str, Any]:
        """Turn the conversation into searches."""
        run, said = Run(self._options), conversation(state["messages"])
        if not self._options.understand:
            return self._planned(run, said, None)
        return self._planned(run, said, _planner(run.model).invoke(_asks_plan(run.corpus, said)))

    async def aunderstand(self, state: RagState) -> dict[str, Any]:
        """Turn the conversation into searches."""
        run, said = Run(self._options), conversation(state["messages"])
        raw = None
        if self._options.understand:
            planner = _planner(await asyncio.to_thread(lambda: run.model))
            messages = await asyncio.to_thread(_asks_plan, run.corpus, said)
            raw = await planner.ainvoke(messages)
        return await asyncio.to_thread(self._planned, run, said, raw)

    def _planned(
        self, run: Run, said: Sequence[BaseMessage], raw: dict[str, Any] | None
    ) -> dict[str, Any]:
        asked = said[-1].text.strip()
        plan = raw["parsed"] if raw is not None else None
        if raw is not None and raw["parsing_error"] is not None:
            _only_unreadable(raw["parsing_error"])
        if plan is None or not plan.question.strip():
            plan = SearchPlan(question=asked)
        queries = plan.queries()
        if not queries and not query_pictures(said[-1]):
            msg = "the question holds neither words nor a picture to search for"
            raise ValueError(msg)
        known = {record.path: record.id for record in run.corpus.documents()}
        documents = [path for path in plan.documents if path in known]
        emit(
            "understood",
            1,
            question=plan.question,
            queries=queries,
            evidence=plan.evidence,
            documents=documents,
        )
        return {
            "plan": plan.model_dump() | {"ids": [known[path] for path in documents]},
            "round": 1,
            "queries": queries,
            "asked": queries,
            "faults": [],
            "usage": _add_usage([0, 0, 0], raw["raw"] if raw else None),
        }

    # --- retrieve, rerank, pack -------------------------------------------------------------

    def retrieve(self, state: RagState) -> dict[str, Any]:
        """Find candidates for the round's searches."""
        run, plan = Run(self._options), state["plan"]
        where = self._where(plan["ids"])
        found = retrieve(
            run.corpus,
            state["queries"],
            pictures=query_pictures(conversation(state["messages"])[-1]),
            evidence=plan["evidence"],
            where=where,
        )
        ranked = widen(run.corpus, found, where)
        if state["round"] > 1:
            # what the new searches found goes first, what was shown before stays in
            known = {one.id for one in ranked}
            ranked += [one for one in thaw_ranked(state["found"]) if one.id not in known]
        places = [page.place for page in found[:_TOLD]]
        emit("retrieved", state["round"], found=len(ranked), places=places)
        return {"found": freeze_ranked(ranked)}

    def _where(self, documents: Sequence[str]) -> Filter | None:
        """Join the graph's own conditions with the documents that the question names."""
        where = self._options.where
        if not documents or (where is not None and where.documents):
            return where
        return replace(where or Filter(), documents=tuple(documents))

    def rerank(self, state: RagState) -> dict[str, Any]:
        """Let the reranker, where there is one, put the best candidates in its order."""
        run, ranked = Run(self._options), thaw_ranked(state["found"])
        reranker = self._options.reranker or run.corpus.reranker
        if reranker is None or len(ranked) < 2:
            return {}
        by_id = {one.id: one for one in ranked}
        pages = load_pages(run.corpus, [one.id for one in ranked[:_RERANKED]])
        pictures = query_pictures(conversation(state["messages"])[-1])[:1]
        ordered = reranker(state["plan"]["question"], pages, *pictures)
        first = [by_id[entry_id(page)] for page in ordered if entry_id(page) in by_id]
        taken = {one.id for one in first}
        emit("reranked", state["round"], places=[page.place for page in ordered[:_TOLD]])
        return {"found": freeze_ranked([*first, *(one for one in ranked if one.id not in taken)])}

    def pack(self, state: RagState) -> dict[str, Any]:
        """Choose what is shown, and how large."""
        run, ranked = Run(self._options), thaw_ranked(state["found"])
        packed = pack(_candidates(run.corpus, ranked), run.budget)
        pictures = sum(slot.view is not None for slot in packed.slots)
        emit(
            "packed",
            state["round"],
            shown=len(packed.slots),
            pictures=pictures,
            visual_tokens=packed.visual_tokens,
            text_tokens=packed.text_tokens,
            whole=packed.whole,
        )
        return {"packed": freeze_packed(packed)}

    # --- answer -----------------------------------------------------------------------------

    def answer(self, state: RagState, config: RunnableConfig) -> dict[str, Any]:
        """Ask the model, which sees pages, crops and frames; its reply is a draft."""
        if not state["packed"]["slots"]:
            return _nothing_found(state)
        run = Run(self._options)
        messages, seen = _asks_answer(run, state)
        return _draft(state, _drafter(run.model).invoke(messages, config), seen)

    async def aanswer(self, state: RagState, config: RunnableConfig) -> dict[str, Any]:
        """Ask the model, which sees pages, crops and frames; its reply is a draft."""
        if not state["packed"]["slots"]:
            return _nothing_found(state)
        run = Run(self._options)
        messages, seen = await asyncio.to_thread(_asks_answer, run, state)
        model = await asyncio.to_thread(lambda: run.model)
        return _draft(state, await _drafter(model).ainvoke(messages, config), seen)


def _drafter(model: Answering) -> Runnable[Any, AIMessage]:
    """Return the model as it answers: its tokens are shown taken apart, not as they come."""
    drafter: Runnable[Any, AIMessage] = model.with_config(
        tags=NOT_SHOWN, callbacks=[InertTokens()], run_name="draft_answer"
    )
    return drafter


def _asks_plan(corpus: Corpus, said: Sequence[BaseMessage]) -> list[BaseMessage]:
    return plan_messages(prompt("understand"), said, corpus.documents())


def _asks_answer(run: Run, state: RagState) -> tuple[list[BaseMessage], list[int]]:
    """Return the request, and the numbers of the sources whose pictures are in it."""
    sources = blocks_of(load_sources(run.corpus, thaw_packed(state["packed"]).slots))
    messages = answer_messages(
        sources,
        conversation(state["messages"]),
        question=state["plan"]["question"],
        faults=state.get("faults", ()),
    )
    return messages, seen_in(sources)


def _planner(model: Answering) -> Runnable[Any, dict[str, Any]]:
    """Return the model as it plans: without thinking, in a schema, unseen by the user."""
    instant: Any = model.with_thinking_mode(enabled=False) if isinstance(model, ChatKimi) else model
    planner: Runnable[Any, dict[str, Any]] = instant.with_structured_output(
        SearchPlan, include_raw=True
    )
    return planner.with_config(tags=NOT_SHOWN, run_name="plan_search")


def _only_unreadable(error: BaseException) -> None:
    """Let a plan that cannot be read pass: the question itself is searched for then."""
    if not isinstance(error, KimiStructuredOutputError | ValueError):
        raise error


def _candidates(corpus: Corpus, ranked: Sequence[Ranked]) -> list[Any]:
    pages: dict[str, Found] = {
        entry_id(page): page for page in load_pages(corpus, [one.id for one in ranked])
    }
    return [candidate_of(pages[one.id], one.crops) for one in ranked if one.id in pages]


def _nothing_found(state: RagState) -> dict[str, Any]:
    text = f"{NOT_FOUND}: nothing was found for “{state['plan']['question']}”"
    return {"draft": {"text": text, "reasoning": "", "id": None, "seen": [], "asked_model": False}}


def _draft(state: RagState, reply: AIMessage, seen: list[int]) -> dict[str, Any]:
    return {
        "draft": {
            "text": reply.text,
            "reasoning": reply.additional_kwargs.get("reasoning_content") or "",
            "id": reply.id,
            "seen": seen,
            "asked_model": True,
        },
        "usage": _add_usage(state["usage"], reply),
    }


def _add_usage(so_far: Sequence[int], reply: AIMessage | None) -> list[int]:
    if reply is None:
        return list(so_far)
    used = reply.usage_metadata or {"input_tokens": 0, "output_tokens": 0}
    calls, input_tokens, output_tokens = so_far
    return [calls + 1, input_tokens + used["input_tokens"], output_tokens + used["output_tokens"]]
