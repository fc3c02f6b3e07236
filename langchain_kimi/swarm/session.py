"""A run while it lives in this process: its journal, its counters, its swarm."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import time
import uuid
from collections import deque
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.store.base import BaseStore

from langchain_kimi.swarm.artifacts import Artifacts
from langchain_kimi.swarm.budgets import Budget, Grant, Ledger, Usage, Verdict
from langchain_kimi.swarm.compaction import Compaction
from langchain_kimi.swarm.desk import Desk, Timeouts
from langchain_kimi.swarm.events import Counts, Events
from langchain_kimi.swarm.failures import Remedy, RetryPolicy, remedy, retry_after
from langchain_kimi.swarm.journal import Journal, RunLog
from langchain_kimi.swarm.limiter import Limiter
from langchain_kimi.swarm.open_journals import give_back
from langchain_kimi.swarm.records import Kind, Record, storable
from langchain_kimi.swarm.runnable_worker import thread_of
from langchain_kimi.swarm.scheduler import Swarm
from langchain_kimi.swarm.state import RunState, Span, critical_steps, replay
from langchain_kimi.swarm.subagents import Bound, SubAgent, bind
from langchain_kimi.swarm.tool_runner import ToolRunner
from langchain_kimi.swarm.tools import Fanout, schemas

_T = TypeVar("_T")

Key = tuple[Hashable, str]
"""The place of a journal, and a run's name in it."""

_RATE_SECONDS = 5.0
_NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a background agent was made with."""

    orchestrator: SubAgent
    kinds: Mapping[str, SubAgent]
    budget: Budget = field(default_factory=Budget)
    most: Budget | Mapping[str, Any] | None = None
    """What a task's own budget may not pass."""
    requests_per_minute: int | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    compaction: Compaction = field(default_factory=Compaction)
    interrupt_on: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Tools that a person approves, with the decisions allowed."""
    saver: BaseCheckpointSaver[Any] | None = None
    """Keeps sub-agents that are graphs without a checkpointer of their own."""
    result_tokens: int = 30_000
    """What the results of one turn may take in the orchestrator's context."""


class Binder:
    """Binds each kind of sub-agent to a model once."""

    def __init__(self, settings: Settings, model: BaseChatModel) -> None:
        self.settings = settings
        self._model = model
        self._bound: dict[tuple[str, bool], Bound] = {}

    def orchestrator(self) -> Bound:
        """Return the orchestrator, with the tools that start sub-agents."""
        return self._get(self.settings.orchestrator, spawning=True)

    def kind(self, name: str, *, spawning: bool) -> Bound:
        """Return a kind of sub-agent."""
        return self._get(self.settings.kinds[name], spawning=spawning)

    def _get(self, spec: SubAgent, *, spawning: bool) -> Bound:
        key = (spec.name, spawning)
        if key not in self._bound:
            kinds = list(self.settings.kinds.values())
            extra = [] if spec.internal else schemas(kinds, spawning=spawning)
            approvals = frozenset(self.settings.interrupt_on)
            self._bound[key] = bind(
                spec, self._model, extra=extra, approvals=approvals, saver=self.settings.saver
            )
        return self._bound[key]


class Session:
    """One run in this process and event loop. `open` makes one from the journal."""

    def __init__(self, log: RunLog, state: RunState, binder: Binder, budget: Budget) -> None:
        self.log = log
        self.state = state
        self.settings = binder.settings
        self.binder = binder
        self.key: Key = (log.journal.place, state.run)
        self.owner: object = None
        """The agent whose graph entered last."""
        self.inside = 0
        """How many nodes of a graph are in it."""
        self.watcher: asyncio.Task[None] | None = None
        """Closes it when it has long been idle."""
        self.definitions: dict[str, str] = {}
        self.turn_task: asyncio.Task[list[ToolMessage]] | None = None
        self.turn_of = ""
        self.artifacts = Artifacts(log, state)
        self._steps: deque[tuple[float, int]] = deque(maxlen=256)
        self._begin(budget)

    @classmethod
    async def open(cls, journal: Journal, run: str, binder: Binder, budget: Budget) -> Session:
        """Take a run over, and line up again what had not come to its end."""
        log = await journal.open(run)
        state = replay(run, await journal.read(run))
        session = cls(log, state, binder, state.budget if state.task else budget)
        session.swarm.restore()
        return session

    def _begin(self, budget: Budget) -> None:
        """Make the counters and the swarm of a task."""
        state, settings = self.state, self.settings
        started = state.started or time.time()
        self.ledger = Ledger(budget, started=started)
        self.ledger.used = state.used
        self.ledger.orchestrator_steps = len(state.turn_replies)
        self.ledger.subagents = sum(
            a.finished and not a.internal and a.usage.steps > a.offset_steps
            for a in state.of_task()
        )
        self.limiter = Limiter(budget.concurrency, requests_per_minute=settings.requests_per_minute)
        self.events = Events(state.run, self.counts)
        self.desk = Desk(
            state=state,
            log=self.log,
            ledger=self.ledger,
            limiter=self.limiter,
            events=self.events,
            own_tools=_NoTools(),
            approvals=settings.interrupt_on,
            retry=settings.retry,
            timeouts=settings.timeouts,
            compaction=settings.compaction,
        )
        self.swarm = Swarm(self.desk, self._bound)
        self.fanout = self.desk.own_tools = Fanout(
            self.swarm,
            settings.kinds,
            self.artifacts,
            definitions=self.definitions,
            turn=lambda: len(state.turn_replies),
            most_characters=settings.result_tokens * 4,
            chunk=settings.compaction.tokens * 2,
        )

    def _bound(self, kind: str) -> Bound:
        return self.binder.kind(kind, spawning=self.ledger.budget.depth > 1)

    async def task(self, messages: Sequence[AnyMessage], budget: Budget) -> None:
        """Begin a new task when the last message of a person is a new one."""
        last = max((i for i, m in enumerate(messages) if _is_task(m)), default=-1)
        key = digest(messages[: last + 1])
        if key == self.state.task_key:
            return
        await self.swarm.stop()
        state, before, is_first = self.state, self.swarm, self.state.task == 0
        state.task, state.task_key, state.started = state.task + 1, key, time.time()
        state.budget, state.turn_replies, state.spans = budget, [], []
        state.used = Usage()
        body = {"key": key, "at": state.started, "budget": budget.as_dict()}
        await self.log.append(Record(Kind.TASK, "", body))
        self._begin(budget)
        if is_first:  # what was said while the task was written down is meant for it
            self.swarm.inherit(before)

    async def note(self, text: str) -> None:
        """Tell the orchestrator something; it is on disk when this returns."""
        message = HumanMessage(text, id=uuid.uuid4().hex, additional_kwargs={_NOTE: True})
        await self.log.append(Record(Kind.NOTE, "", {"message": message}))
        self.state.notes.append(message)

    def unread(self, messages: Sequence[AnyMessage]) -> list[AnyMessage]:
        """Return what the orchestrator was told and does not have in its conversation yet."""
        read = {message.id for message in messages}
        return [note for note in self.state.notes if note.id not in read]

    async def orchestrate(self, messages: Sequence[AnyMessage]) -> tuple[list[AnyMessage], Verdict]:
        """Take the orchestrator's step: its reply, and whether it was the last.

        A reply that is in the journal for the same conversation is taken from there.
        """
        self.ledger.critical = critical_steps(self.state)
        key = digest(messages)
        known = self.state.replies.get(key)
        if known is not None:
            return [known], Verdict(Grant.STEP)
        tokens = sum(len(str(m.content)) for m in messages) // 4
        verdict = self.ledger.orchestrator_step(expect=tokens)
        if self.swarm.cancelled:
            verdict = Verdict(Grant.NONE, "cancelled", self.swarm.cancelled)
        if verdict.grant is Grant.NONE:
            return [], verdict
        said: list[AnyMessage] = []
        if verdict.grant is Grant.LAST:
            said = [HumanMessage(_LAST_TURN.format(reason=verdict.reason))]
        start = time.time()
        answer = await self._unless_cancelled(self._call([*messages, *said]))
        if answer is None:
            return [], Verdict(Grant.NONE, "cancelled", self.swarm.cancelled)
        reply = storable(answer)
        if reply.id is None or any(message.id == reply.id for message in messages):
            reply.id = key  # a model that numbers all replies alike would overwrite its own
        self.state.replies[key] = reply
        self.state.turn_replies.append(reply)
        self.state.spans.append(Span("model", start, time.time()))
        self.ledger.orchestrator_done(reply)
        body = {"key": key, "message": reply, "t": (start, time.time())}
        await self.log.append(Record(Kind.ORCHESTRATOR, "", body))
        self.events.tell("step", text=", ".join(c["name"] for c in reply.tool_calls))
        return [*said, reply], verdict

    async def _unless_cancelled(self, call: Coroutine[Any, Any, _T]) -> _T | None:
        """Wait for a call; None when the run is cancelled first."""
        work = asyncio.ensure_future(call)
        stop = asyncio.ensure_future(self.swarm.all_stopped.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if not work.done():
                work.cancel()
        if work.done():
            return await work
        await asyncio.wait([work])
        return None

    async def _call(self, messages: list[AnyMessage]) -> AIMessage:
        """Call the orchestrator's model; it goes before all sub-agents at the gate."""
        bound, desk = self.binder.orchestrator(), self.desk
        prompt = self.settings.orchestrator.system_prompt
        config = desk.config_of("", "orchestrator")
        sent: list[Any] = [("system", prompt), *messages] if prompt else messages
        failed = 0
        while True:
            await desk.open_gate.wait()
            entered = await self.limiter.enter(urgent=True)
            try:
                async with asyncio.timeout(desk.timeouts.call):
                    reply: AIMessage = await bound.model.ainvoke(sent, config, **bound.settings)
            except Exception as error:
                what = remedy(error)
                failed += 1
                if what is Remedy.REQUEUE and failed <= desk.retry.requeues:
                    self.limiter.throttled(entered, retry_after(error))
                elif what is Remedy.RETRY and failed < desk.retry.attempts:
                    await asyncio.sleep(desk.retry.pause(failed))
                else:
                    raise
            else:
                self.limiter.succeeded()
                return reply
            finally:
                self.limiter.leave()

    async def forget_graphs(self, agents: Sequence[str]) -> None:
        """Drop the steps that graphs among these sub-agents kept in the outer graph's saver."""
        saver, known = self.settings.saver, self.state.agents
        for agent in agents if saver is not None else ():
            bound = self._bound(known[agent].kind)
            if saver is not None and bound.graph is not None and bound.graph.checkpointer is saver:
                await saver.adelete_thread(thread_of(self.state.run, agent))

    def define(self, messages: Sequence[AnyMessage]) -> None:
        """Know again what `create_subagent` defined earlier in the conversation."""
        for message in messages:
            for call in message.tool_calls if isinstance(message, AIMessage) else ():
                if call["name"] == "create_subagent":
                    self.fanout.define(call)

    def turn(self, reply: AIMessage) -> asyncio.Task[list[ToolMessage]]:
        """Return the task that answers a reply's calls: begun once, joined later."""
        if self.turn_task is None or self.turn_of != reply.id:
            bound = self.binder.orchestrator()
            runner = ToolRunner(
                self.desk, bound.tools, self.desk.config_of("", "orchestrator"), None
            )
            self.turn_of = reply.id or ""
            self.turn_task = asyncio.create_task(_storable_answers(runner, reply))
        return self.turn_task

    def attach(
        self, *, config: Any, writer: Callable[[Any], None] | None, context: Any, store: Any
    ) -> None:
        """Speak through the graph run that just entered."""
        self.desk.config = config
        self.events.writer = None if writer is None else _in_context(writer)
        self.desk.context = context
        self.desk.store = store if isinstance(store, BaseStore) else None

    def detach(self) -> None:
        """Forget the graph run that left; the swarm goes on without it."""
        self.events.writer = None
        self.desk.config = {}

    async def close(self) -> None:
        """Stop all work in this process; what is on disk stays as it is."""
        self.detach()
        if self.watcher is not None and self.watcher is not asyncio.current_task():
            self.watcher.cancel()
        try:
            if self.turn_task is not None:
                self.turn_task.cancel()
                await asyncio.gather(self.turn_task, return_exceptions=True)
            await self.swarm.stop()
        finally:
            await give_back(self.log.journal)

    def is_idle(self) -> bool:
        """Whether no graph is in it, and nothing of it is at work: some may wait for a person."""
        desk, swarm = self.desk, self.swarm
        at_work = self.inside or swarm.at_work() or desk.tools_at_work
        return not at_work and desk.open_gate.is_set()

    def counts(self) -> Counts:
        """Return a picture of the whole tree."""
        agents = self.state.of_task()
        by_status: dict[str, int] = {}
        for agent in agents:
            by_status[agent.status] = by_status.get(agent.status, 0) + 1
        done = by_status.get("done", 0)
        running, waiting = by_status.get("running", 0), by_status.get("waiting", 0)
        used = self.ledger.used
        now = time.time()
        self._steps.append((now, used.steps))
        first = next(
            ((t, n) for t, n in self._steps if t >= now - _RATE_SECONDS), (now, used.steps)
        )
        rate = (used.steps - first[1]) / (now - first[0]) if now > first[0] else 0.0
        return {
            "total": len(agents),
            "waiting": waiting,
            "running": running,
            "done": done,
            "failed": len(agents) - done - running - waiting,
            "steps": used.steps,
            "critical_steps": critical_steps(self.state),
            "tokens": used.tokens,
            "money": used.money,
            "rate": rate,
            "seconds": now - self.state.started if self.state.started else 0.0,
        }


async def _storable_answers(runner: ToolRunner, reply: AIMessage) -> list[ToolMessage]:
    return [storable(message) for message in await runner.run(reply)]


def _in_context(writer: Callable[[Any], None]) -> Callable[[Any], None]:
    """Return a writer that works outside the node: LangGraph's looks up whose node it is in."""
    context = contextvars.copy_context()
    return lambda event: context.run(writer, event)


_LAST_TURN = (
    "You have reached {reason}. Call no more tools: give the final result from what you have, "
    "and say what is missing."
)


class _NoTools:
    """Stands in until the swarm is there."""

    names: frozenset[str] = frozenset()

    async def answer(self, reply: Any, calls: Any, agent: Any) -> list[ToolMessage]:
        return []


def _is_task(message: AnyMessage) -> bool:
    """Whether a message gives a task, and is not a note to one that is at work."""
    return isinstance(message, HumanMessage) and _NOTE not in message.additional_kwargs


def digest(messages: Sequence[AnyMessage]) -> str:
    """Return a name for a state of the conversation: what was said, whoever numbered it."""
    found = hashlib.blake2b(digest_size=12)
    for message in messages:
        calls = message.tool_calls if isinstance(message, AIMessage) else ()
        found.update(f"{message.type}\0{message.content}\0{calls}\1".encode(errors="replace"))
    return found.hexdigest()
