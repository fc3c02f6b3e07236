"""What a worker needs from the swarm around it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_core.messages import AIMessage, AnyMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.store.base import BaseStore

from langchain_kimi.swarm.budgets import Ledger
from langchain_kimi.swarm.compaction import Compaction
from langchain_kimi.swarm.events import Events
from langchain_kimi.swarm.failures import RetryPolicy
from langchain_kimi.swarm.journal import RunLog
from langchain_kimi.swarm.limiter import Limiter
from langchain_kimi.swarm.state import AgentState, RunState


@dataclass(frozen=True, kw_only=True)
class Timeouts:
    """Seconds; None waits for ever."""

    call: float | None = 3600.0
    """For one model call."""
    tool: float | None = 600.0
    """For one tool call."""
    idle: float | None = 900.0
    """For a sub-agent whose runnable gives no sign of life."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A tool call that a person is asked about."""

    key: str
    """The same after any restart."""
    agent: str
    """The sub-agent's id, "" for the orchestrator."""
    name: str
    args: dict[str, Any]
    allowed: tuple[str, ...]
    """The decisions of the HITL schema that may be given."""
    description: str = ""


Ask = Callable[[Request], Awaitable[dict[str, Any]]]
"""Put a tool call before a person; what comes is a decision of the HITL schema."""


class SwarmTools(Protocol):
    """Answers the tools that belong to the swarm itself."""

    names: frozenset[str]

    async def answer(
        self, reply: AIMessage, calls: Sequence[ToolCall], agent: AgentState | None
    ) -> list[ToolMessage]:
        """Answer the calls of one reply together, in their order."""


@dataclass(kw_only=True)
class Desk:
    """The services of one run. The swarm owns them; workers use them."""

    state: RunState
    log: RunLog
    ledger: Ledger
    limiter: Limiter
    events: Events
    own_tools: SwarmTools
    approvals: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Tools that a person approves, with the decisions allowed."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    compaction: Compaction = field(default_factory=Compaction)
    config: RunnableConfig = field(default_factory=RunnableConfig)
    """Callbacks and metadata of the outer graph's node; replaced when it is entered anew."""
    context: Any = None
    store: BaseStore | None = None
    ask: Ask = field(init=False)
    """Set by the swarm."""
    open_gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while work may go on; cleared by a pause."""
    tools_at_work: int = 0

    def config_of(self, agent: str, label: str) -> RunnableConfig:
        """Return the configuration of a sub-agent's calls: traces and streams name it."""
        metadata = {**self.config.get("metadata", {}), "subagent": agent, "subagent_label": label}
        config: RunnableConfig = {"metadata": metadata, "configurable": {"subagent": agent}}
        if "callbacks" in self.config:
            config["callbacks"] = self.config["callbacks"]
        return config

    def key(self, agent: AgentState | None, reply: AIMessage, call: ToolCall, place: int) -> str:
        """Return the idempotency key of a tool call: the same after any restart."""
        who = ("", "") if agent is None else (agent.id, str(agent.usage.steps))
        parts = (self.state.run, *who, reply.id or "", str(place), call["name"])
        return hashlib.blake2b(
            "\0".join(parts).encode(errors="replace"), digest_size=16
        ).hexdigest()


def last_words(messages: Sequence[AnyMessage]) -> str:
    """Return what a sub-agent had when it was stopped: its last text, or its last results."""
    for message in reversed(messages):
        if isinstance(message, AIMessage) and message.text.strip():
            return message.text
    results = [m for m in messages if isinstance(m, ToolMessage) and m.status == "success"]
    if not results:
        return ""
    text = results[-1].text
    cut = f" [… {len(text) - 2000} more characters are in the journal]" if len(text) > 2000 else ""
    return f"The last result of {results[-1].name or 'a tool'}: {text[:2000]}{cut}"
