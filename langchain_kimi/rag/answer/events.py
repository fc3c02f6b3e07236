"""What the graph tells while it works, in the custom stream."""

from __future__ import annotations

from typing import Any, Literal

from langgraph.config import get_stream_writer
from typing_extensions import TypedDict

EventKind = Literal[
    "understood", "retrieved", "reranked", "packed", "checked", "retrying", "answered"
]


class RagEvent(TypedDict):
    """A step of the graph; every event has these keys.

    `detail` by event. `understood`: question, queries, evidence, documents. `retrieved`: found,
    places (the best ten). `reranked`: places. `packed`: shown, pictures, visual_tokens,
    text_tokens, whole. `checked`: claims, supported, dropped. `retrying`: missing. `answered`:
    status, citations.
    """

    type: Literal["multimodal_rag"]
    event: EventKind
    round: int
    """Counted from 1."""
    detail: dict[str, Any]


def emit(event: EventKind, round_: int, **detail: Any) -> None:
    """Write an event to the custom stream of the run."""
    written: RagEvent = {
        "type": "multimodal_rag",
        "event": event,
        "round": round_,
        "detail": detail,
    }
    get_stream_writer()(written)
