"""The prompts, and the messages that the model answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage


@cache
def prompt(name: str) -> str:
    """Return a prompt; it holds no date, so that servers can cache the prefix."""
    return files("langchain_kimi.rag.answer").joinpath(f"prompts/{name}.md").read_text("utf-8")


def answer_messages(
    sources: Mapping[int, Sequence[dict[str, Any]]],
    said: Sequence[BaseMessage],
    *,
    question: str = "",
    faults: Sequence[str] = (),
) -> list[BaseMessage]:
    """Return the request for an answer.

    The sources stand first, in their fixed order, and the conversation behind them: a follow-up on
    the same documents shares its prefix with the question before.

    Args:
        sources: The content blocks of each source by its number.
        said: The conversation; its last message asks.
        question: What it asks when read without the conversation.
        faults: What was wrong with the draft before.
    """
    blocks = [block for held in sources.values() for block in held]
    shown: list[BaseMessage] = [SystemMessage(prompt("answer"))]
    if blocks:
        shown.append(HumanMessage([{"type": "text", "text": "Sources:"}, *blocks]))
    notes = []
    if question and question.strip() != said[-1].text.strip():
        notes.append(f"(The question in full: {question})")
    if faults:
        listed = "\n".join(f"- {fault}" for fault in faults)
        notes.append(f"(A draft before this one was refused:\n{listed}\nMake it right.)")
    return [*shown, *said[:-1], _with_notes(said[-1], notes)]


def _with_notes(message: BaseMessage, notes: Sequence[str]) -> BaseMessage:
    if not notes:
        return message
    added = "\n\n".join(notes)
    if isinstance(message.content, str):
        return HumanMessage(f"{message.content}\n\n{added}")
    return HumanMessage([*message.content, {"type": "text", "text": added}])
