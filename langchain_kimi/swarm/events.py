"""The progress stream: what a swarm tells while it works, in a fixed schema.

Each event is a plain dictionary, given to LangGraph's stream writer (`stream_mode="custom"`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal, NotRequired, TypedDict

from langchain_kimi.swarm.state import AgentState

What = Literal[
    "task", "queued", "started", "step", "requeued", "approval", "ended", "progress", "note"
]
_PROGRESS_EVERY = 0.2
_LOG = logging.getLogger(__name__)


class Counts(TypedDict):
    """A picture of the whole tree at one moment."""

    total: int
    waiting: int
    running: int
    done: int
    failed: int
    """Failed, skipped, cancelled, or ended before the work was done."""
    steps: int
    critical_steps: int
    tokens: int
    money: float
    rate: float
    """Steps a second, over the last seconds."""
    seconds: float


class SwarmEvent(TypedDict):
    """One event. `agent` is the sub-agent's id, "" for the whole tree."""

    type: Literal["swarm"]
    version: Literal[1]
    event: What
    at: float
    """Seconds since 1970."""
    run: str
    agent: str
    label: NotRequired[str]
    kind: NotRequired[str]
    parent: NotRequired[str]
    status: NotRequired[str]
    steps: NotRequired[int]
    tokens: NotRequired[int]
    reason: NotRequired[str]
    text: NotRequired[str]
    """What a step did, or a note says, in a few words."""
    counts: NotRequired[Counts]


Writer = Callable[[SwarmEvent], None]


class Events:
    """Sends events while somebody listens; costs next to nothing while nobody does."""

    def __init__(self, run: str, counts: Callable[[], Counts]) -> None:
        self.run = run
        self.writer: Writer | None = None
        self._counts = counts
        self._last_progress = 0.0

    def tell(self, what: What, *, agent: str = "", text: str = "", reason: str = "") -> None:
        """Send an event about the tree, or about an agent that has no state here."""
        if self.writer is not None:
            event = self._event(what, agent)
            if text:
                event["text"] = text
            if reason:
                event["reason"] = reason
            event["counts"] = self._counts()
            self._send(event)

    def of(self, what: What, agent: AgentState, *, text: str = "") -> None:
        """Send an event about a sub-agent, and from time to time one about the tree."""
        if self.writer is None:
            return
        event = self._event(what, agent.id)
        event["label"], event["kind"], event["parent"] = agent.label, agent.kind, agent.parent
        event["status"], event["steps"] = agent.status, agent.usage.steps
        event["tokens"] = agent.usage.tokens
        if agent.reason:
            event["reason"] = agent.reason
        if text:
            event["text"] = text
        self._send(event)
        if event["at"] - self._last_progress >= _PROGRESS_EVERY:
            self._last_progress = event["at"]
            self.tell("progress")

    def _send(self, event: SwarmEvent) -> None:
        """Hand an event over; a listener that fails is not told more, and disturbs nothing."""
        if self.writer is None:
            return
        try:
            self.writer(event)
        except Exception:  # noqa: BLE001 - progress is no reason to stop work
            _LOG.warning("The progress stream's reader failed; it is told no more.", exc_info=True)
            self.writer = None

    def _event(self, what: What, agent: str) -> SwarmEvent:
        return {
            "type": "swarm",
            "version": 1,
            "event": what,
            "at": time.time(),
            "run": self.run,
            "agent": agent,
        }
