"""What is known about a run: kept in memory while it works, rebuilt from the journal after."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from langchain_kimi.context import estimate_messages
from langchain_kimi.swarm.budgets import Budget, Usage
from langchain_kimi.swarm.records import Kind, Record

Status = Literal["waiting", "running", "done", "partial", "failed", "cancelled", "skipped"]
ENDED: frozenset[str] = frozenset({"done", "partial", "failed", "cancelled", "skipped"})


@dataclass(slots=True)
class Span:
    """A stretch of a sub-agent's time. Seconds since 1970."""

    what: Literal["model", "tools"]
    start: float
    end: float


@dataclass(slots=True)
class AgentState:
    """One sub-agent: its work, its conversation, what came of it."""

    id: str
    kind: str
    label: str
    prompt: str
    system: str = ""
    """A system prompt given at run time; "" takes the kind's own."""
    needs: tuple[str, ...] = ()
    parent: str = ""
    depth: int = 1
    turn: int = 0
    task: int = 0
    internal: bool = False
    status: Status = "waiting"
    messages: list[AnyMessage] = field(default_factory=list)
    reply: AIMessage | None = None
    """A reply whose tool calls have no results yet."""
    usage: Usage = field(default_factory=Usage)
    context_tokens: int = 0
    result: str = ""
    data: Any = None
    """The typed result, where the kind has a `response_format`."""
    reason: str = ""
    spans: list[Span] = field(default_factory=list)
    queued: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    resumed: bool = False
    path_steps: int = 0
    """Steps on the longest path of this turn: through what it needs, and once ended its own."""
    offset_steps: int = 0
    """Steps that it took before it was given its work of this turn."""
    requeues: int = 0
    retries: int = 0

    @property
    def finished(self) -> bool:
        """Whether it came to an end, a good one or not."""
        return self.status in ENDED

    def begin(self, system: str, prompt: str) -> None:
        """Write the first messages of the conversation."""
        self.messages = [SystemMessage(system)] if system else []
        self.messages.append(HumanMessage(prompt))
        self.context_tokens = estimate_messages(self.messages)

    def take_reply(self, reply: AIMessage) -> None:
        """Add a reply to the conversation."""
        self.messages.append(reply)
        self.reply = reply if reply.tool_calls or reply.invalid_tool_calls else None
        if reply.usage_metadata is not None:
            self.context_tokens = reply.usage_metadata["total_tokens"]
        else:
            self.context_tokens += _tokens(reply)

    def take(self, messages: Iterable[AnyMessage]) -> None:
        """Add tool results, or words to the model, to the conversation."""
        for message in messages:
            self.messages.append(message)
            self.context_tokens += _tokens(message)

    def spawned(self) -> dict[str, Any]:
        """Return the body of its SPAWN record."""
        return {
            "kind": self.kind,
            "label": self.label,
            "prompt": self.prompt,
            "system": self.system,
            "needs": list(self.needs),
            "parent": self.parent,
            "depth": self.depth,
            "turn": self.turn,
            "internal": self.internal,
            "at": self.queued,
            "resumed": self.resumed,
        }

    def end_record(self) -> Record:
        """Return its END record."""
        body = {
            "status": self.status,
            "result": self.result,
            "data": self.data,
            "reason": self.reason,
            "at": self.ended,
            "path": self.path_steps,
            "began": self.started,
            "usage": asdict(self.usage),
        }
        return Record(Kind.END, self.id, body)


@dataclass(slots=True)
class RunState:
    """One run (a thread of the outer graph), with all its tasks and sub-agents."""

    run: str
    task: int = 0
    task_key: str = ""
    started: float = 0.0
    budget: Budget = field(default_factory=Budget)
    agents: dict[str, AgentState] = field(default_factory=dict)
    replies: dict[str, AIMessage] = field(default_factory=dict)
    """The orchestrator's replies, by the state of the conversation that they answer."""
    spans: list[Span] = field(default_factory=list)
    """The orchestrator's time in this task."""
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """A person's answers, by the key of the tool call."""
    used: Usage = field(default_factory=Usage)
    """What this task used up to the last restart."""
    turn_replies: list[AIMessage] = field(default_factory=list)
    """The orchestrator's replies of this task, in their order."""
    notes: list[HumanMessage] = field(default_factory=list)
    """What a person told the orchestrator while it was at work."""

    def of_task(self) -> list[AgentState]:
        """Return the sub-agents of the task at hand."""
        return [agent for agent in self.agents.values() if agent.task == self.task]


def critical_steps(state: RunState) -> int:
    """Return the steps of this task that had to come one after the other.

    For each turn: the orchestrator's step and the longest path of sub-agents (arXiv 2602.02276;
    there without dependencies, so that the path is the longest sub-agent).
    """
    longest: dict[int, int] = {}
    for agent in state.of_task():
        own = 0 if agent.finished else agent.usage.steps - agent.offset_steps
        longest[agent.turn] = max(longest.get(agent.turn, 0), agent.path_steps + own)
    return len(state.turn_replies) + sum(longest.values())


def replay(run: str, records: Iterable[Record]) -> RunState:
    """Rebuild what is known about a run from its journal."""
    state = RunState(run)
    for record in records:
        _APPLY[record.kind](state, record.agent, record.body)
    return state


def _task(state: RunState, _agent: str, body: dict[str, Any]) -> None:
    state.task += 1
    state.task_key = body["key"]
    state.started = body["at"]
    state.budget = Budget.of(body["budget"])
    state.turn_replies, state.spans, state.used = [], [], Usage()


def _orchestrator(state: RunState, _agent: str, body: dict[str, Any]) -> None:
    reply = body["message"]
    state.replies[body["key"]] = reply
    state.turn_replies.append(reply)
    state.used.add(reply, state.budget.prices)
    state.spans.append(Span("model", *body["t"]))


def _spawn(state: RunState, agent: str, body: dict[str, Any]) -> None:
    known = state.agents.get(agent)
    if known is not None:
        known.prompt, known.status, known.resumed = body["prompt"], "waiting", True
        known.task, known.turn, known.queued = state.task, body["turn"], body["at"]
        known.needs = tuple(body["needs"])
        known.reply, known.path_steps, known.offset_steps = None, 0, known.usage.steps
        if known.usage.steps:
            known.take([HumanMessage(body["prompt"])])
        return
    state.agents[agent] = AgentState(
        id=agent,
        kind=body["kind"],
        label=body["label"],
        prompt=body["prompt"],
        system=body["system"],
        needs=tuple(body["needs"]),
        parent=body["parent"],
        depth=body["depth"],
        turn=body["turn"],
        internal=body["internal"],
        task=state.task,
        queued=body["at"],
    )


def _reply(state: RunState, agent: str, body: dict[str, Any]) -> None:
    known = state.agents[agent]
    if "begin" in body:
        known.begin(*body["begin"])
    start, end = body["t"]
    known.started = known.started or start
    known.status = "running"
    if not body.get("inner"):
        known.spans.append(Span("model", start, end))
        known.take(body.get("before", ()))
        known.take_reply(body["message"])
    for usage in (known.usage, state.used):
        usage.add(body["message"], state.budget.prices)
        usage.steps += body.get("steps", 1) - 1


def _tools(state: RunState, agent: str, body: dict[str, Any]) -> None:
    known = state.agents[agent]
    known.spans.append(Span("tools", *body["t"]))
    known.take(body["messages"])
    known.reply = None


def _decision(state: RunState, _agent: str, body: dict[str, Any]) -> None:
    state.decisions[body["key"]] = body["decision"]


def _note(state: RunState, _agent: str, body: dict[str, Any]) -> None:
    state.notes.append(body["message"])


def _end(state: RunState, agent: str, body: dict[str, Any]) -> None:
    known = state.agents[agent]
    known.status = body["status"]
    known.result, known.data = body["result"], body["data"]
    known.reason, known.ended = body["reason"], body["at"]
    known.path_steps, known.started = body["path"], body["began"]
    total = Usage(**body["usage"])
    state.used.catch_up(known.usage, total)
    known.usage = total


_APPLY = {
    Kind.TASK: _task,
    Kind.ORCHESTRATOR: _orchestrator,
    Kind.SPAWN: _spawn,
    Kind.REPLY: _reply,
    Kind.TOOLS: _tools,
    Kind.DECISION: _decision,
    Kind.END: _end,
    Kind.NOTE: _note,
}


def _tokens(message: AnyMessage) -> int:
    return estimate_messages([message], preserve_thinking=True)
