"""What a question needs: the search that the model prepares before it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, Field

from langchain_kimi.rag.index.records import DocumentRecord

EvidenceKind = Literal["text", "table", "chart", "figure", "video"]

MOST_QUESTIONS = 4
_LISTED = 60
_REMEMBERED = 8


class SearchPlan(BaseModel):
    """What to search for."""

    question: str = Field(description="The question, complete without the conversation.")
    sub_questions: list[str] = Field(
        default_factory=list, description="What has to be looked up, at most four."
    )
    evidence: list[EvidenceKind] = Field(
        default_factory=list, description="Kinds of content that can hold the answer."
    )
    documents: list[str] = Field(
        default_factory=list, description="Paths of documents that the question names."
    )

    def queries(self) -> list[str]:
        """Return the searches: the question and its parts, each once."""
        asked = [self.question, *self.sub_questions[:MOST_QUESTIONS]]
        return list(dict.fromkeys(text.strip() for text in asked if text.strip()))


def conversation(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return what was said, without tool calls and system prompts; the last message is last."""
    said = [
        message
        for message in messages
        if isinstance(message, HumanMessage)
        or (isinstance(message, AIMessage) and not message.tool_calls and message.text)
    ]
    if not said or not isinstance(said[-1], HumanMessage):
        msg = "there is no question: the last message has to be the user's"
        raise ValueError(msg)
    return [*map(_words, said[-_REMEMBERED:-1]), said[-1]]


def _words(message: BaseMessage) -> BaseMessage:
    """Return an earlier message as its words: pictures are looked at when they are asked about."""
    kind = HumanMessage if isinstance(message, HumanMessage) else AIMessage
    return kind(message.text or "[picture]")


def plan_messages(
    prompt: str, said: Sequence[BaseMessage], documents: Sequence[DocumentRecord]
) -> list[BaseMessage]:
    """Return the request for a plan."""
    listed = "\n".join(_listed(record) for record in documents[:_LISTED])
    more = len(documents) - _LISTED
    rest = f"\n… and {more} more" if more > 0 else ""
    return [SystemMessage(f"{prompt}\n\nDocuments:\n{listed}{rest}"), *said]


def _listed(record: DocumentRecord) -> str:
    title = " ".join(record.title.split())[:80]
    return f"- {' '.join(record.path.split())}" + (f" ({title})" if title else "")
