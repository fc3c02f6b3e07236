"""The parts that are worth a test without the whole: limiter, ledger, compaction, picture."""

import asyncio
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_kimi.context import estimate_messages
from langchain_kimi.swarm.budgets import Budget, Grant, Ledger, Price, Usage
from langchain_kimi.swarm.compaction import Compaction, compact
from langchain_kimi.swarm.limiter import Limiter
from langchain_kimi.swarm.state import AgentState, RunState, Span
from langchain_kimi.swarm.timeline import critical_path, timeline_svg

from .fakes import say


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_calls_are_let_through_in_the_order_in_which_they_came():
    limiter = Limiter(1)
    await limiter.enter()
    order = []

    async def one(name, *, urgent=False):
        await limiter.enter(urgent=urgent)
        order.append(name)
        limiter.leave()

    tasks = [asyncio.create_task(one(n)) for n in range(3)]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(one("orchestrator", urgent=True)))
    await asyncio.sleep(0)
    limiter.leave()
    await asyncio.gather(*tasks)
    assert order == ["orchestrator", 0, 1, 2]


async def test_no_more_requests_in_any_minute_than_allowed():
    clock = Clock()
    limiter = Limiter(100, requests_per_minute=2, clock=clock)
    for _ in range(2):
        await limiter.enter()
    third = asyncio.create_task(limiter.enter())
    await asyncio.sleep(0)
    assert not third.done()
    clock.now = 60.0
    limiter._wake()
    assert await third == 60.0
    limiter.stop()


async def test_a_429_halves_the_capacity_once_a_burst_and_successes_open_it_again():
    clock = Clock()
    limiter = Limiter(8, clock=clock)
    entered = [await limiter.enter() for _ in range(8)]
    clock.now = 1.0
    for moment in entered:
        limiter.throttled(moment, 5.0)
        limiter.leave()
    assert limiter.capacity == 4
    waiting = asyncio.create_task(limiter.enter())
    await asyncio.sleep(0)
    assert not waiting.done(), "the server asked for five seconds"
    clock.now = 6.0
    limiter._wake()
    await waiting
    for _ in range(60):
        limiter.succeeded()
    assert limiter.capacity == 8
    limiter.stop()


async def test_a_cancelled_caller_gives_its_place_in_line_back():
    limiter = Limiter(1)
    await limiter.enter()
    waiting = [asyncio.create_task(limiter.enter()) for _ in range(2)]
    await asyncio.sleep(0)
    limiter.leave()
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    await asyncio.wait_for(waiting[1], 1)
    assert limiter.in_flight == 1


@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 7), st.booleans()), max_size=120))
def test_the_ledger_never_grants_more_steps_than_there_are(steps, moves):
    ledger = Ledger(Budget(steps=steps), started=0.0, clock=Clock())
    own = {str(n): Usage() for n in range(8)}
    granted: set[str] = set()
    for number, succeeds in moves:
        agent = str(number)
        ledger.admit(agent)
        verdict = ledger.step(agent, own[agent], expect=0, critical=0, seconds=0.0)
        if verdict.grant is Grant.NONE:
            continue
        assert verdict.grant is Grant.STEP or agent not in granted
        if succeeds:
            ledger.done(agent, own[agent], say("x"))
            if verdict.grant is Grant.LAST:
                granted.add(agent)
        else:
            ledger.refund(agent)
        assert ledger.used.steps + 1 <= steps, "the orchestrator's last step is kept"


def test_tokens_and_money_refuse_a_call_that_might_pass_the_limit():
    prices = {"fake": Price(input=10.0, output=20.0)}
    budget = Budget(tokens=10_000, reply_tokens=100, prices=prices)
    ledger = Ledger(budget, started=0.0, clock=Clock())
    own = Usage()
    ledger.admit("a")
    assert ledger.step("a", own, expect=4000, critical=0, seconds=0).grant is Grant.STEP
    ledger.done("a", own, say("x"))
    assert own.money == pytest.approx((100 * 10 + 20 * 20) / 1e6)
    assert ledger.step("a", own, expect=4900, critical=0, seconds=0).grant is Grant.LAST
    ledger.refund("a")
    assert ledger.step("a", own, expect=9800, critical=0, seconds=0).grant is Grant.NONE
    assert "tokens" in ledger.reached


def test_a_budget_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="stepz"):
        Budget.of({"stepz": 3})
    with pytest.raises(ValueError, match="steps is 0; it must be an integer >= 1"):
        Budget(steps=0)
    budget = Budget.of({"prices": {"m": {"input": 1, "output": 2}}}, Budget(steps=7))
    assert Budget.of(budget.as_dict()) == budget
    assert budget.steps == 7


def _conversation(steps, size):
    messages = [SystemMessage("s"), HumanMessage("the task")]
    for n in range(steps):
        reply = AIMessage(f"thought {n}", additional_kwargs={"reasoning_content": f"r{n}"})
        reply.tool_calls = [{"name": "t", "args": {}, "id": f"c{n}", "type": "tool_call"}]
        messages += [reply, ToolMessage("x" * size, tool_call_id=f"c{n}")]
    return messages


@given(st.integers(1, 40), st.integers(0, 3000), st.integers(100, 20_000))
def test_compaction_keeps_the_task_the_latest_steps_and_whole_rounds(steps, size, limit):
    messages = _conversation(steps, size)
    policy = Compaction(tokens=limit)
    shorter, tokens = compact(messages, 10 * limit, policy)
    assert shorter[:2] == messages[:2]
    assert shorter[-2 * min(4, steps) :] == messages[-2 * min(4, steps) :]
    replies = {m.tool_calls[0]["id"] for m in shorter if isinstance(m, AIMessage)}
    results = {m.tool_call_id for m in shorter if isinstance(m, ToolMessage)}
    assert replies == results
    assert all("reasoning_content" in m.additional_kwargs for m in shorter if m.type == "ai")
    if len(replies) < steps:
        assert f"[{steps - len(replies)} earlier steps of yours were dropped" in shorter[2].text
    again, _ = compact(shorter, 10 * tokens, policy)
    left = sum(isinstance(m, AIMessage) for m in again)
    if left < steps:
        assert f"[{steps - left} earlier steps of yours were dropped" in again[2].text


def _picture(**extra):
    return {
        "type": "image",
        "base64": "iVBORw0KGgo" + "A" * 40_000,
        "mime_type": "image/png",
        **extra,
    }


@pytest.mark.parametrize("strategy", ["hide_tool_results", "discard_all"])
def test_compaction_keeps_what_is_pinned(strategy):
    messages = _conversation(12, 2_000)
    messages[5] = messages[5].model_copy(
        update={"content": [_picture(extras={"pinned": True})], "artifact": None}
    )
    shorter, _ = compact(messages, 90_000, Compaction(strategy=strategy, tokens=1_000))
    assert shorter[:2] == messages[:2]
    assert messages[4] in shorter
    assert messages[5] in shorter
    assert messages[7] not in shorter


def test_compaction_reckons_a_picture_as_what_it_costs():
    """Not by the length of its base64 text: 40,000 characters are 2,000 tokens at most."""
    messages = _conversation(12, 2_000)
    messages[-1] = messages[-1].model_copy(update={"content": [_picture()]})
    estimate = estimate_messages(messages)
    shorter, tokens = compact(messages, estimate, Compaction(tokens=5_600, keep_steps=2))
    assert tokens == pytest.approx(estimate_messages(shorter), rel=0.1)
    assert messages[-1] in shorter


def test_the_picture_marks_the_path_through_what_was_needed():
    state = RunState("run", task=1, started=0.0)
    for name, needs, start, end in (("a", (), 0, 2), ("<b>", ("a",), 2, 5), ("c", (), 0, 1)):
        agent = AgentState(name, "general", name, "p", needs=needs, task=1)
        agent.status, agent.started, agent.ended = "done", start, end
        agent.spans = [Span("model", start, end)]
        state.agents[name] = agent
    assert [agent.id for agent in critical_path(state)] == ["a", "<b>"]
    picture = ET.fromstring(timeline_svg(state))
    assert "3 sub-agents over 5.0 s" in picture[0].text
