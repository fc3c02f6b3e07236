"""A sub-agent that gives no sign of life, and a clock that jumps."""

import asyncio
import time

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda

from langchain_kimi.swarm import SubAgent, Timeouts, create_background_agent

from .fakes import FakeModel, calls, is_orchestrator, say, steps_of


def _lead(*requests):
    def rule(messages):
        if not is_orchestrator(messages):
            return say("Worked.")
        return calls(*requests) if steps_of(messages) == 0 else say("All done.")

    return rule


def _agent(folder, model, work=None, **settings):
    kinds = [] if work is None else [
        SubAgent(name="own", description="d", runnable=RunnableLambda(work))
    ]  # fmt: skip
    journal = folder / "j.sqlite"
    return create_background_agent(model, subagents=kinds, journal=journal, **settings)


async def _go(agent, **given):
    return await agent.ainvoke({"messages": [HumanMessage("go")], **given})


ONE = ("assign_task", {"agent": "own", "prompt": "x"})


async def test_no_sign_of_life_ends_it_and_its_sibling_goes_on(tmp_path):
    async def hang(_):
        await asyncio.Event().wait()

    sibling = ("assign_task", {"agent": "general", "prompt": "y"})
    model = FakeModel(rule=_lead(ONE, sibling))
    found = await _go(_agent(tmp_path, model, hang, timeouts=Timeouts(idle=0.05)))
    assert "no sign of life for 0.05 s" in found["missing"][0]
    assert "Worked." in [m.text.split("\n")[0] for m in found["messages"] if m.type == "tool"]


async def test_model_calls_are_signs_of_life(tmp_path):
    inner = FakeModel(rule=lambda _: say("tick"), delay=0.2)

    async def busy(_):
        for _ in range(5):
            await inner.ainvoke("again")
        return "busy to the end"

    model = FakeModel(rule=_lead(ONE))
    found = await _go(_agent(tmp_path, model, busy, timeouts=Timeouts(idle=0.9)))
    assert found["status"] == "done", found["missing"]


async def test_a_timeout_of_its_own_is_told_as_such(tmp_path):
    async def impatient(_):
        msg = "the page did not come"
        raise TimeoutError(msg)

    found = await _go(_agent(tmp_path, FakeModel(rule=_lead(ONE)), impatient))
    assert "TimeoutError: the page did not come" in found["missing"][0]


@pytest.mark.parametrize("jump", [-86_400.0, 86_400.0])
async def test_a_clock_that_jumps_neither_ends_a_run_nor_uses_up_its_time(
    tmp_path, monkeypatch, jump
):
    now, shift = time.time, [0.0]

    def rule(messages):
        shift[0] = 0.0 if is_orchestrator(messages) else jump
        return lead(messages)

    items = {"description": "d", "prompt_template": "{{item}}", "items": ["a", "b", "c"]}
    lead = _lead(("agent_swarm", items))
    monkeypatch.setattr(time, "time", lambda: now() + shift[0])
    found = await _go(_agent(tmp_path, FakeModel(rule=rule)), budget={"seconds": 3600})
    assert found["status"] == "done"
    assert found["usage"]["subagents"] == 3
    assert found["usage"]["seconds"] >= 0
