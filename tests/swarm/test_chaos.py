"""Chaos: any order of starting, finishing, failing, cancelling, pausing, killing, resuming.

What must hold: no task is lost, none that ended is done again, of the others at most the step in
flight, and no budget is passed.
"""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from langchain_core.exceptions import ModelAPIError, ModelRateLimitError
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.budgets import Budget
from langchain_kimi.swarm.failures import RetryPolicy
from langchain_kimi.swarm.journal import Journal
from langchain_kimi.swarm.session import Binder, Session, Settings
from langchain_kimi.swarm.sqlite import SqliteBackend
from langchain_kimi.swarm.subagents import SubAgent
from langchain_kimi.swarm.tools import GENERAL

from .fakes import FakeModel, calls, prompt_of, say, steps_of

NEEDED = 2
"""Tool steps that a sub-agent takes before it answers."""


class MortalBackend(SqliteBackend):
    """A database that takes nothing more once its process is dead."""

    dead = False

    def write(self, rows, blobs, now):
        if self.dead:
            msg = "the process is dead"
            raise JournalError(msg)
        super().write(rows, blobs, now)


class HeldModel(FakeModel):
    """Each call waits until the test lets it go, with the reply or an error."""

    async def _reply(self, messages):
        self.seen.append(list(messages))
        answer = asyncio.get_running_loop().create_future()
        HELD.append((prompt_of(messages), answer))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            error = await answer
        finally:
            self.in_flight -= 1
        if error is not None:
            raise error
        if steps_of(messages) < NEEDED:
            return calls(("count", {"agent": prompt_of(messages), "step": steps_of(messages)}))
        return say(f"{prompt_of(messages)} is done")


HELD: list = []


class Chaos(RuleBasedStateMachine):
    """The swarm under a hostile hand."""

    @initialize(
        agents=st.integers(1, 6),
        steps=st.sampled_from([5, 9, 14, 60]),
        concurrency=st.integers(1, 4),
        subagents=st.sampled_from([2, 4, 100]),
    )
    def begin(self, agents, steps, concurrency, subagents):
        HELD.clear()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.names = [f"agent{n}" for n in range(agents)]
        self.budget = Budget(steps=steps, concurrency=concurrency, subagents=subagents)
        self.tools_run = Counter()
        self.ended: dict[str, tuple] = {}
        self.kills = 0
        self.gates = 0

        @tool
        async def count(agent: str, step: int) -> str:
            """Count."""
            assert agent not in self.ended, f"{agent} had ended"
            self.tools_run[agent, step] += 1
            return "counted"

        kind = SubAgent(name=GENERAL, description="General.", tools=[count])
        leader = SubAgent(name="orchestrator", description="")
        retry = RetryPolicy(wait=0.0, longest_wait=0.0)
        self.settings = Settings(orchestrator=leader, kinds={GENERAL: kind}, retry=retry)
        self.model = HeldModel(rule=lambda _: None)
        args = {"description": "d", "prompt_template": "{{item}}", "items": self.names}
        self.reply = calls(("agent_swarm", args))
        self.reply.id = "reply"
        self.do(self.open())

    async def open(self):
        self.backend = MortalBackend(Path(self.folder.name) / "j.sqlite", patience=1.0)
        self.journal = Journal(self.backend)
        binder = Binder(self.settings, self.model)
        self.session = await Session.open(self.journal, "run", binder, self.budget)
        await self.session.task([HumanMessage("go")], self.budget)
        self.turn = self.session.turn(self.reply)
        await self.settle()

    def do(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 20))

    async def settle(self):
        """Let everything happen that happens by itself, the journal's thread included."""
        still, seen = 0, None
        while still < 6:
            await asyncio.sleep(0)
            await self.journal.read("nothing")
            await asyncio.sleep(0)
            agents = self.session.state.of_task()
            now = len(HELD), len(self.model.seen), [(a.status, a.usage.steps) for a in agents]
            still, seen = (still + 1 if now == seen else 0), now
        for agent in self.session.state.of_task():
            if agent.finished:
                before = self.ended.setdefault(agent.label, (agent.status, agent.result))
                assert before == (agent.status, agent.result)

    async def let_go(self, place, error):
        name, answer = HELD.pop(place % len(HELD))
        if not answer.done():
            assert name not in self.ended, f"{name} had ended, and was called"
            answer.set_result(error)
        await self.settle()

    @precondition(lambda self: HELD)
    @rule(place=st.integers(0, 10))
    def finish(self, place):
        self.do(self.let_go(place, None))

    @precondition(lambda self: HELD)
    @rule(
        place=st.integers(0, 10),
        error=st.sampled_from([ModelAPIError("down"), ValueError("wrong"), None]),
    )
    def fail(self, place, error):
        if error is None:
            error = ModelRateLimitError("slow down")
            error.retry_after = 0.0
        self.do(self.let_go(place, error))

    @rule(place=st.integers(0, 10))
    def cancel_one(self, place):
        agents = self.session.state.of_task()
        if agents:
            self.do(self.cancel(agents[place % len(agents)].id))

    async def cancel(self, agent):
        self.session.swarm.cancel(agent)
        await self.settle()

    @rule()
    def pause(self):
        self.session.swarm.pause()

    @rule()
    def go_on(self):
        self.do(self.unpause())

    async def unpause(self):
        self.session.swarm.resume()
        await self.settle()

    @rule()
    def kill_and_resume(self):
        self.kills += 1
        self.do(self.die())
        self.do(self.open())

    async def die(self):
        self.backend.dead = True
        await self.session.close()
        await self.journal.aclose()
        HELD.clear()

    @invariant()
    def budgets_hold(self):
        if not hasattr(self, "session"):
            return
        used = self.session.ledger.used
        assert used.steps <= self.budget.steps
        assert self.session.swarm.at_work() <= self.budget.concurrency
        assert self.model.most_in_flight <= self.budget.concurrency
        assert self.session.ledger.subagents <= self.budget.subagents

    @invariant()
    def little_is_done_twice(self):
        if hasattr(self, "session"):
            assert all(count <= 1 + self.kills for count in self.tools_run.values())
            again = Counter()
            for (agent, _), count in self.tools_run.items():
                again[agent] += count - 1
            assert all(count <= self.kills for count in again.values())

    def teardown(self):
        if not hasattr(self, "session"):
            return
        try:
            self.do(self.to_the_end())
            labels = [agent.label for agent in self.session.state.of_task()]
            assert sorted(labels) == self.names, "no task is lost, none is there twice"
            assert all(agent.finished for agent in self.session.state.of_task())
            self.budgets_hold()
        finally:
            self.do(self.die())
            self.loop.close()
            self.folder.cleanup()

    async def to_the_end(self):
        self.session.swarm.resume()
        await self.settle()
        while not self.turn.done():
            if HELD:
                await self.let_go(0, None)
            else:
                await asyncio.sleep(0.001)
                await self.settle()
        await self.turn


TestChaos = Chaos.TestCase
TestChaos.settings = settings(
    max_examples=40,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
