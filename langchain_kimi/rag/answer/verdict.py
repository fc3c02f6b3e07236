"""The end of a round: answer, look again, or say that the documents do not answer."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.messages import AIMessage
from langgraph.types import Command

from langchain_kimi.agents.default_model import is_stand_in
from langchain_kimi.rag.answer.check import Checked, check
from langchain_kimi.rag.answer.events import emit
from langchain_kimi.rag.answer.inert import inert
from langchain_kimi.rag.answer.options import Options, Run
from langchain_kimi.rag.answer.reply import Reply, read_reply
from langchain_kimi.rag.answer.result import Answer, Searched, Status, Usage
from langchain_kimi.rag.answer.sources import load_sources
from langchain_kimi.rag.answer.state import RagState, thaw_packed

NOT_ANSWERED = "The documents do not answer this:"
_MOST_QUERIES = 4
_QUERY_CHARACTERS = 300


class Verdict:
    """The node `check`."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def check(self, state: RagState) -> Command[Literal["retrieve", "__end__"]]:
        """Check each quote and claim by code, then answer or look again."""
        run = Run(self._options)
        reply = read_reply(inert(state["draft"]["text"]))
        sources = load_sources(run.corpus, thaw_packed(state["packed"]).slots)
        checked = check(
            run.corpus,
            reply,
            sources,
            seen=state["draft"]["seen"],
            question=state["plan"]["question"],
        )
        emit(
            "checked",
            state["round"],
            claims=len(checked.claims),
            supported=checked.supported,
            dropped=len(checked.dropped),
        )
        queries = self._missing(run, state, reply, checked)
        if queries:
            return self._again(state, queries, checked)
        answer = self._answer(run, state, reply, checked)
        emit("answered", state["round"], status=answer.status, citations=len(answer.citations))
        return Command(
            goto="__end__", update={"messages": [_message(state, answer)], "answer": answer}
        )

    def _missing(self, run: Run, state: RagState, reply: Reply, checked: Checked) -> list[str]:
        """Return what to search for in another round; nothing when this one is the last."""
        if state["round"] >= self._options.rounds or not state["draft"]["asked_model"]:
            return []
        wanted = [text[:_QUERY_CHARACTERS] for text in checked.unsupported]
        missing = (reply.missing or "")[:_QUERY_CHARACTERS]
        if missing and missing not in state["asked"] and not _all_shown(run, state):
            wanted.insert(0, missing)
        return wanted[:_MOST_QUERIES]

    def _again(
        self, state: RagState, queries: list[str], checked: Checked
    ) -> Command[Literal["retrieve", "__end__"]]:
        emit("retrying", state["round"], missing=queries)
        faults = [f"“{one.quote}” ({one.place}): {one.reason}" for one in checked.dropped]
        faults += [f"no evidence is listed for: {text}" for text in checked.unsupported]
        update = {
            "round": state["round"] + 1,
            "queries": [state["plan"]["question"], *queries],
            "asked": [*state["asked"], *queries],
            "faults": faults,
        }
        return Command(goto="retrieve", update=update)

    def _answer(self, run: Run, state: RagState, reply: Reply, checked: Checked) -> Answer:
        packed, corpus = state["packed"], run.corpus
        calls, input_tokens, output_tokens = state["usage"]
        answer = Answer(
            question=state["plan"]["question"],
            text=_text(reply, checked),
            status=_status(reply, checked),
            claims=checked.claims,
            citations=checked.citations,
            dropped=checked.dropped,
            searched=Searched(
                queries=tuple(state["asked"]),
                rounds=state["round"],
                documents=corpus.stats().documents,
                candidates=len(state["found"]),
                shown=len(packed["slots"]),
                shown_as_pictures=len(state["draft"]["seen"]),
                evidence_tokens=packed["visual_tokens"] + packed["text_tokens"],
                whole=packed["whole"],
            ),
            usage=Usage(calls=calls, input_tokens=input_tokens, output_tokens=output_tokens),
            stand_in=state["draft"]["asked_model"] and is_stand_in(run.model),
        )
        return answer.with_pictures_of(corpus)


def _all_shown(run: Run, state: RagState) -> bool:
    """Tell whether every page of the corpus is before the model already."""
    return len(state["packed"]["slots"]) >= run.corpus.stats().pages


def _status(reply: Reply, checked: Checked) -> Status:
    if not checked.supported:
        return "not_answered"
    return "partly" if reply.missing is not None or checked.unsupported else "answered"


def _text(reply: Reply, checked: Checked) -> str:
    """Return the text for the user."""
    if reply.missing is None:
        return checked.text
    said = f"{NOT_ANSWERED} {reply.missing or 'nothing in them fits the question'}"
    return f"{checked.text}\n\n{said}" if checked.text else said


def _message(state: RagState, answer: Answer) -> AIMessage:
    """Return the answer as the message that takes the place of the streamed draft."""
    kept: dict[str, Any] = {"answer": answer.model_dump(mode="json")}
    if state["draft"]["reasoning"]:
        kept["reasoning_content"] = inert(state["draft"]["reasoning"])
    return AIMessage(
        answer.text, id=state["draft"]["id"], name="multimodal_rag", additional_kwargs=kept
    )
