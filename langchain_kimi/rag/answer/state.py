"""The state of the graph: ids and text, no pixels, so that checkpoints stay small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NotRequired

from langchain_core.messages import AnyMessage
from langgraph.channels import UntrackedValue
from langgraph.graph.message import add_messages
from typing_extensions import TypedDict

from langchain_kimi.rag.answer.candidates import View
from langchain_kimi.rag.answer.pack import Packed, Slot
from langchain_kimi.rag.answer.result import Answer
from langchain_kimi.rag.answer.retrieve import Ranked
from langchain_kimi.rag.geometry import Box


class RagInput(TypedDict):
    """What the graph takes."""

    messages: Annotated[list[AnyMessage], add_messages]


class RagOutput(TypedDict):
    """What the graph gives."""

    messages: Annotated[list[AnyMessage], add_messages]
    answer: Annotated[Answer, UntrackedValue]
    """Typed; what a checkpoint keeps of it is `additional_kwargs["answer"]` of the last message."""


class RagState(RagOutput):
    """What the nodes hand on."""

    plan: NotRequired[dict[str, Any]]
    round: NotRequired[int]
    queries: NotRequired[list[str]]
    """Of this round."""
    asked: NotRequired[list[str]]
    """Of all rounds."""
    found: NotRequired[list[list[Any]]]
    """Candidates, the best first: id, score, and boxes of the regions that match."""
    packed: NotRequired[dict[str, Any]]
    draft: NotRequired[dict[str, Any]]
    """The model's reply before the check: text, reasoning, message id, and the numbers of the
    sources whose pictures it saw."""
    faults: NotRequired[list[str]]
    """What was wrong with the draft of the round before."""
    usage: NotRequired[list[int]]
    """Calls, input tokens, output tokens."""


def freeze_ranked(ranked: Sequence[Ranked]) -> list[list[Any]]:
    """Return candidates as plain data."""
    return [[one.id, round(one.score, 4), [list(box) for box in one.crops]] for one in ranked]


def thaw_ranked(found: Sequence[Sequence[Any]]) -> list[Ranked]:
    """Return candidates from plain data."""
    return [Ranked(name, score, tuple(Box(*box) for box in crops)) for name, score, crops in found]


def freeze_packed(packed: Packed) -> dict[str, Any]:
    """Return what was chosen as plain data."""
    slots = [
        [slot.id, _plain_view(slot.view), slot.text, [list(box) for box in slot.crops], slot.tokens]
        for slot in packed.slots
    ]
    return {
        "slots": slots,
        "visual_tokens": packed.visual_tokens,
        "text_tokens": packed.text_tokens,
        "whole": packed.whole,
    }


def thaw_packed(packed: Mapping[str, Any]) -> Packed:
    """Return what was chosen from plain data."""
    slots = tuple(
        Slot(
            number=number,
            id=name,
            view=View(*view) if view else None,
            text=text,
            crops=tuple(Box(*box) for box in crops),
            tokens=tokens,
        )
        for number, (name, view, text, crops, tokens) in enumerate(packed["slots"], start=1)
    )
    return Packed(
        slots=slots,
        visual_tokens=packed["visual_tokens"],
        text_tokens=packed["text_tokens"],
        whole=packed["whole"],
    )


def _plain_view(view: View | None) -> list[Any] | None:
    return [view.width, view.height, view.frames, view.dpi, view.timed] if view else None
