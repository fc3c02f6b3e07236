"""The swarm: starts each sub-agent as soon as what it needs is done and a place is free.

There is no barrier. Sub-agents are tasks of one event loop; a slow one holds up only what needs
it, one that waits for a person or for its own sub-agents gives its place to another, one that
the server turned away goes to the end of the line with its context.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables.config import var_child_runnable_config

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.budgets import Grant
from langchain_kimi.swarm.desk import Desk, Request, last_words
from langchain_kimi.swarm.failures import describe
from langchain_kimi.swarm.handover import handed_over
from langchain_kimi.swarm.outcome import Outcome
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.runnable_worker import RunnableWorker
from langchain_kimi.swarm.state import AgentState, replay
from langchain_kimi.swarm.subagents import Bound
from langchain_kimi.swarm.worker import HopelessError, RequeueError, Worker

_HOPELESS_AFTER = 3


def _own_context() -> contextvars.Context:
    """Return a context in which no graph node runs.

    A graph that a sub-agent runs must not take itself for a part of the outer graph, and model
    calls need not merge the node's configuration each time.
    """
    context = contextvars.copy_context()
    context.run(var_child_runnable_config.set, None)
    return context


@dataclass(frozen=True, slots=True)
class Question:
    """A tool call that waits for a person."""

    request: Request
    answer: asyncio.Future[dict[str, Any]]


@dataclass(slots=True)
class _Wait:
    """Somebody who waits for sub-agents to end."""

    left: set[str]
    future: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Swarm:
    """All sub-agents of one run, in one process and one event loop.

    Args:
        desk: The services of the run.
        bound: Gives the form of a kind that the worker runs, by name.
    """

    def __init__(self, desk: Desk, bound: Callable[[str], Bound]) -> None:
        self.desk = desk
        self.loop = asyncio.get_running_loop()
        self.questions: dict[str, Question] = {}
        self.asked = asyncio.Event()
        """Set when a person is asked."""
        self.broken: Exception | None = None
        self.cancelled = ""
        """Why everything was cancelled; "" while it was not."""
        self.all_stopped = asyncio.Event()
        """Set then: the orchestrator's call is given up, too."""
        self.most_at_work = 0
        self._bound = bound
        self._ready: deque[AgentState] = deque()
        self._returning: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._working: set[str] = set()
        self._missing: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stops: dict[str, Outcome] = {}
        self._waits: list[_Wait] = []
        self._hopeless = 0
        self._succeeded = 0
        self._deadline: asyncio.TimerHandle | None = None
        desk.open_gate.set()
        desk.ask = self._ask
        left = desk.ledger.seconds_left()
        if left < float("inf"):
            self._deadline = self.loop.call_later(max(0.0, left), self._expire)

    def add(self, agents: Iterable[AgentState]) -> None:
        """Take new work. What is known already, by its id, is left as it is."""
        state = self.desk.state
        new = [agent for agent in agents if agent.id not in state.agents]
        for agent in new:
            state.agents[agent.id] = agent
            agent.task, agent.queued = state.task, time.time()
            self.desk.log.post(Record(Kind.SPAWN, agent.id, agent.spawned()))
            self.desk.events.of("queued", agent)
        for agent in new:
            self._line_up(agent)
        self._pump()

    async def again(self, agent: AgentState, prompt: str, turn: int) -> None:
        """Give a sub-agent that ended more work, in the conversation that it had.

        Raises:
            ValueError: It is still at work.
        """
        begun = agent.usage.steps > 0
        prompt = prompt if begun or agent.prompt.endswith(prompt) else f"{agent.prompt}\n\n{prompt}"
        if agent.turn == turn and agent.task == self.desk.state.task and agent.prompt == prompt:
            return
        if not agent.finished:
            msg = f"The sub-agent {agent.id!r} is still at work; it can be continued afterwards."
            raise ValueError(msg)
        log = self.desk.log
        before = replay(log.run, await log.journal.read(log.run)).agents[agent.id]
        agent.messages, agent.context_tokens = before.messages, before.context_tokens
        agent.prompt, agent.status, agent.resumed = prompt, "waiting", True
        agent.task, agent.turn, agent.queued = self.desk.state.task, turn, time.time()
        agent.path_steps, agent.offset_steps, agent.reply = 0, agent.usage.steps, None
        if begun:
            agent.take([HumanMessage(prompt)])
        agents = self.desk.state.agents
        agent.needs = tuple(n for n in agent.needs if agents[n].status in ("done", "partial"))
        self._stops.pop(agent.id, None)
        self.desk.log.post(Record(Kind.SPAWN, agent.id, agent.spawned()))
        self.desk.events.of("queued", agent)
        self._line_up(agent)
        self._pump()

    def restore(self) -> None:
        """Line up again, after a restart, what had not come to its end."""
        for agent in self.desk.state.agents.values():
            if agent.finished:
                agent.messages = []
        unfinished = [a for a in self.desk.state.of_task() if not a.finished]
        begun = [a for a in unfinished if a.status == "running"]
        for agent in begun:
            self.desk.ledger.readmit(agent.id, internal=agent.internal)
            agent.status = "waiting"
        for agent in [*begun, *(a for a in unfinished if a not in begun)]:
            self._line_up(agent)
        self._pump()

    async def wait(self, ids: Iterable[str]) -> None:
        """Wait until these sub-agents have ended.

        Raises:
            JournalError: Nothing more can be made safe; all work stopped where it was.
        """
        agents = self.desk.state.agents
        wait = _Wait({i for i in ids if not agents[i].finished})
        self._waits.append(wait)
        try:
            if wait.left and self.broken is None:
                await wait.future
        finally:
            self._waits.remove(wait)
        if self.broken is not None:
            raise self.broken

    def answer(self, key: str, decision: dict[str, Any]) -> None:
        """Give a person's decision to whoever asked; kept when nobody asks yet."""
        if key not in self.desk.state.decisions:
            self.desk.state.decisions[key] = decision
            self.desk.log.post(Record(Kind.DECISION, "", {"key": key, "decision": decision}))
        question = self.questions.pop(key, None)
        if question is not None and not question.answer.done():
            question.answer.set_result(decision)

    def pause(self) -> None:
        """Begin no more steps; calls that run come to their end."""
        self.desk.open_gate.clear()
        self.desk.events.tell("note", text="paused")

    def resume(self) -> None:
        """Go on after a pause."""
        self.desk.open_gate.set()
        self.desk.events.tell("note", text="resumed")

    def cancel(self, agent: str | None = None, *, reason: str = "cancelled by the user") -> int:
        """Stop one sub-agent and its own, or all; what they had is kept. Return how many."""
        if agent is None:
            self.cancelled = self.cancelled or reason
            self.all_stopped.set()
            chosen = list(self.desk.state.of_task())
        else:
            chosen = self._family(agent)
        return self._end_early(chosen, Outcome("cancelled", reason=reason))

    def inherit(self, before: Swarm) -> None:
        """Be paused or cancelled as the swarm before was, in whose place this one is."""
        if not before.desk.open_gate.is_set():
            self.desk.open_gate.clear()
        if before.cancelled:
            self.cancel(reason=before.cancelled)

    async def stop(self) -> None:
        """Leave everything as it is on disk, and end: work goes on after a restart."""
        self.broken = self.broken or JournalError("The swarm was stopped in this process.")
        if self._deadline is not None:
            self._deadline.cancel()
        self._ready.clear()
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.desk.limiter.stop()
        self._wake(lambda _: True)

    @asynccontextmanager
    async def parked(self, agent: str) -> AsyncIterator[None]:
        """Give the place of a sub-agent that waits to others, and wait for one afterwards."""
        self._working.discard(agent)
        self._pump()
        try:
            yield
        finally:
            if not self._stopped(agent):
                place: asyncio.Future[None] = self.loop.create_future()
                self._returning.append((agent, place))
                self._pump()
                await place

    def at_work(self) -> int:
        """Return how many sub-agents hold a place."""
        return len(self._working)

    def _line_up(self, agent: AgentState) -> None:
        agents = self.desk.state.agents
        missing = {n for n in agent.needs if n not in agents or not agents[n].finished}
        if missing:
            self._missing[agent.id] = missing
            for need in missing:
                self._dependents.setdefault(need, []).append(agent.id)
        else:
            self._start_or_skip(agent)

    def _start_or_skip(self, agent: AgentState) -> None:
        agents = self.desk.state.agents
        bad = [agents[n] for n in agent.needs if agents[n].status not in ("done", "partial")]
        if self.cancelled:
            self._end(agent, Outcome("cancelled", reason=self.cancelled))
        elif bad:
            named = ", ".join(f"{need.label} ({need.status})" for need in bad)
            self._end(agent, Outcome("skipped", reason=f"it needs {named}"))
        else:
            self._ready.append(agent)

    def _pump(self) -> None:
        """Fill the free places: first with those who come back, then from the line."""
        most = self.desk.ledger.budget.concurrency
        while self.broken is None and len(self._working) < most:
            if self._returning:
                agent, place = self._returning.popleft()
                if not place.done():
                    self._working.add(agent)
                    place.set_result(None)
            elif self._ready:
                self._start(self._ready.popleft())
            else:
                break
        self.most_at_work = max(self.most_at_work, len(self._working))

    def _start(self, agent: AgentState) -> None:
        if agent.finished:
            return
        if agent.usage.steps == agent.offset_steps:
            verdict = self.desk.ledger.admit(agent.id, internal=agent.internal)
            if verdict.grant is not Grant.STEP:
                self._end(
                    agent, Outcome("skipped", reason=f"not started: {verdict.reason} is reached")
                )
                return
        self._working.add(agent.id)
        agent.status = "running"
        agent.started = agent.started or time.time()
        self._tasks[agent.id] = self.loop.create_task(
            self._run(agent), name=agent.id, context=_own_context()
        )
        self.desk.events.of("started", agent)

    async def _run(self, agent: AgentState) -> None:
        """Run one sub-agent; whatever happens to it stays with it."""
        try:
            outcome = await self._outcome(agent)
            await self._close(agent, outcome)
            self._announce(agent)
        except RequeueError:
            agent.status = "waiting"
            self._ready.append(agent)
            self.desk.events.of("requeued", agent)
        except Exception as error:  # noqa: BLE001 - whoever waits for the swarm gets it
            self._break(error)
        finally:
            self._tasks.pop(agent.id, None)
            self._working.discard(agent.id)
            self.loop.call_soon(self._pump)

    async def _outcome(self, agent: AgentState) -> Outcome:
        try:
            outcome = await self._work(agent)
        except (RequeueError, JournalError):
            raise
        except asyncio.CancelledError:
            stop = self._stops.get(agent.id)
            if stop is None:
                raise
            return Outcome(stop.status, last_words(agent.messages), reason=stop.reason)
        except HopelessError as error:
            self._count_hopeless(error.reason)
            return Outcome("failed", last_words(agent.messages), reason=error.reason)
        except Exception as error:  # noqa: BLE001 - siblings go on; the report has the reason
            return Outcome("failed", last_words(agent.messages), reason=describe(error))
        self._succeeded += 1
        return outcome

    async def _work(self, agent: AgentState) -> Outcome:
        bound = self._bound(agent.kind)
        agents = self.desk.state.agents
        needs = [agents[need] for need in agent.needs]
        if not agent.messages:
            agent.begin(agent.system or bound.spec.system_prompt, handed_over(agent.prompt, needs))
        agent.path_steps = max([agent.path_steps, *(need.path_steps for need in needs)])
        limit = self.desk.ledger.budget.subagent_seconds
        until = None if limit is None else self.loop.time() + agent.started + limit - time.time()
        try:
            async with asyncio.timeout_at(until) as overall:
                if bound.spec.runnable is not None:
                    return await RunnableWorker(agent, bound, self.desk).run()
                return await Worker(agent, bound, self.desk, lambda: self._stopped(agent.id)).run()
        except TimeoutError:
            if not overall.expired():
                raise
            reason = f"stopped at its limit of {limit:g} s"
            return Outcome("partial", last_words(agent.messages), reason=reason)

    def _stopped(self, agent: str) -> bool:
        return self.broken is not None or agent in self._stops

    def _end(self, agent: AgentState, outcome: Outcome) -> None:
        """End a sub-agent that is not at work."""
        self._close(agent, outcome)
        self._announce(agent)

    def _close(self, agent: AgentState, outcome: Outcome) -> asyncio.Future[None]:
        """Write a sub-agent's end down; what it held is given back."""
        agent.result, agent.data, agent.reason = outcome.result, outcome.data, outcome.reason
        agent.ended = time.time()
        agent.path_steps += agent.usage.steps - agent.offset_steps
        self.desk.ledger.release(agent.id)
        agent.status = outcome.status
        agent.messages, agent.reply = [], None
        return self.desk.log.append(agent.end_record())

    def _announce(self, agent: AgentState) -> None:
        """Tell whoever waits for a sub-agent that it ended."""
        self.desk.events.of("ended", agent)
        for dependent in self._dependents.pop(agent.id, ()):
            missing = self._missing[dependent]
            missing.discard(agent.id)
            if not missing:
                del self._missing[dependent]
                waiting = self.desk.state.agents[dependent]
                if not waiting.finished:
                    self._start_or_skip(waiting)
        for wait in self._waits:
            wait.left.discard(agent.id)
        self._wake(lambda wait: not wait.left)

    def _wake(self, which: Callable[[_Wait], bool]) -> None:
        for wait in self._waits:
            if which(wait) and not wait.future.done():
                wait.future.set_result(None)

    async def _ask(self, request: Request) -> dict[str, Any]:
        agent, key, decisions = request.agent, request.key, self.desk.state.decisions
        if key in decisions:
            return decisions[key]
        question = Question(request, self.loop.create_future())
        self.questions[key] = question
        self.desk.events.tell("approval", agent=agent, text=request.name)
        self.asked.set()
        try:
            if not agent:
                return await question.answer
            async with self.parked(agent):
                return await question.answer
        finally:
            self.questions.pop(key, None)

    def _family(self, agent: str) -> list[AgentState]:
        """Return a sub-agent with all that it started."""
        found = [self.desk.state.agents[agent]]
        for one in found:
            found.extend(a for a in self.desk.state.agents.values() if a.parent == one.id)
        return found

    def _end_early(self, agents: Iterable[AgentState], outcome: Outcome) -> int:
        chosen = [agent for agent in agents if not agent.finished]
        for agent in chosen:
            self._stops[agent.id] = outcome
            task = self._tasks.get(agent.id)
            if task is not None:
                task.cancel()
            else:
                words = last_words(agent.messages)
                self._end(agent, Outcome(outcome.status, words, reason=outcome.reason))
        return len(chosen)

    def _expire(self) -> None:
        ledger = self.desk.ledger
        reason = f"the limit of {ledger.budget.seconds:g} s of wall time"
        ledger.reached.setdefault("seconds", reason)
        self._end_early(
            self.desk.state.of_task(), Outcome("partial", reason=f"stopped at {reason}")
        )

    def _count_hopeless(self, reason: str) -> None:
        """When nobody succeeds and all meet the same wall, do not send hundreds after them."""
        self._hopeless += 1
        if self._hopeless >= _HOPELESS_AFTER and not self._succeeded:
            waiting = [a for a in self.desk.state.of_task() if a.id not in self._tasks]
            outcome = Outcome("failed", reason=f"not started, for others failed with: {reason}")
            self._end_early(waiting, outcome)

    def _break(self, error: Exception) -> None:
        """Nothing more can be made safe, or a mistake of our own: stop all work where it is."""
        if self.broken is None:
            self.broken = error
            for task in list(self._tasks.values()):
                task.cancel()
        self._wake(lambda _: True)
