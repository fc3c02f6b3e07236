"""Limits, prices, timeouts and settings as a user meets them: the run ends cleanly and says why."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool

from langchain_kimi import ChatKimi
from langchain_kimi.swarm import (
    Budget,
    Price,
    RetryPolicy,
    SubAgent,
    Timeouts,
    create_background_agent,
)
from langchain_kimi.testing import KimiServer

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

PRICES = {"fake": {"input": 1_000.0, "output": 2_000.0}}
"""A call of the fake model, 100 tokens in and 20 out, costs 0.14."""


@tool
async def look() -> str:
    """Look."""
    return "seen"


def endless(items=("a", "b")):
    """Sub-agents that look for ever, unless they are told that it is their last step."""

    def rule(messages):
        last_step = messages[-1].text.startswith("You have reached")
        if is_orchestrator(messages):
            if steps_of(messages) or last_step:
                return say("What there is.")
            args = {"description": "d", "prompt_template": "{{item}}", "items": list(items)}
            return calls(("agent_swarm", args))
        return say(f"{prompt_of(messages)} so far") if last_step else calls(("look", {}))

    return FakeModel(rule=rule)


async def go(folder, model, budget=None, most=None, **settings):
    agent = create_background_agent(
        model,
        [look],
        budget=most,
        journal=folder / "j.sqlite",
        retry=RetryPolicy(attempts=1),
        **settings,
    )
    return await agent.ainvoke({"messages": [HumanMessage("go")], "budget": budget or {}})


def told(found):
    return next(m for m in found["messages"] if m.type == "tool").text


@pytest.mark.parametrize("most", [{"steps": 5}, Budget(steps=5)])
async def test_a_task_cannot_raise_what_the_agent_was_made_with(tmp_path, most):
    model = endless()
    found = await go(tmp_path, model, {"steps": 10_000, "subagents": 10_000}, most)
    assert len(model.seen) == found["usage"]["steps"] <= 5
    assert any("the limit of 5 steps" in line for line in found["missing"])


async def test_a_context_cannot_raise_it_either_and_both_may_lower_it(tmp_path):
    @dataclass
    class Context:
        budget: dict[str, Any] | Budget

    for number, (brought, steps) in enumerate([(Budget(steps=99), 9), ({"steps": 7}, 7)]):
        model = endless()
        agent = create_background_agent(
            model,
            [look],
            budget={"steps": 9},
            context_schema=Context,
            journal=tmp_path / f"{number}.sqlite",
        )
        given = {"messages": [HumanMessage("go")]}
        found = await agent.ainvoke(given, context=Context(brought))
        assert len(model.seen) <= steps
        assert any(f"the limit of {steps} steps" in line for line in found["missing"])


def test_a_budget_within_another():
    dear, free = Price(input=1, output=2), Price(input=0, output=0)
    most = Budget(money=1, prices={"": dear}, reply_tokens=500)
    found = Budget(money=50, tokens=7, prices={"kimi": free}, reply_tokens=1).within(most)
    assert (found.money, found.tokens, found.reply_tokens) == (1, 7, 500)
    assert found.prices == {"": dear}
    assert Budget(steps=9999).within(None) == Budget(steps=9999)
    assert Budget(steps=9999, subagents=5).within({"subagents": 9}).subagents == 5
    assert Budget(steps=9999).within({"subagents": 9}).steps == 9999


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ({"steps": 12}, "the limit of 12 steps"),
        ({"subagent_steps": 3}, "its limit of 3 steps"),
        ({"critical_steps": 6}, "the limit of 6 critical steps"),
        ({"tokens": 2_000, "reply_tokens": 50}, "the limit of 2000 tokens"),
        ({"subagent_tokens": 900, "reply_tokens": 50}, "its limit of 900 tokens"),
        ({"money": 3.0, "prices": PRICES, "reply_tokens": 50}, "the limit of 3 in money"),
    ],
)
async def test_at_a_limit_work_wraps_up_and_keeps_what_it_has(tmp_path, budget, reason):
    model = endless()
    found = await go(tmp_path, model, budget)
    assert found["status"] == "incomplete"
    assert found["result"] == "What there is."
    assert any(reason in line for line in found["missing"]), found["missing"]
    used = found["usage"]
    assert used["steps"] == len(model.seen) <= budget.get("steps", 4000)
    assert used["critical_steps"] <= budget.get("critical_steps", 4000)
    assert used["money"] <= budget.get("money", 0.0)
    asked = [m[-1].text for m in model.seen if not is_orchestrator(m)]
    assert any(text.startswith(f"You have reached {reason}") for text in asked)
    assert "a so far" in told(found)
    assert "b so far" in told(found)


async def test_money_is_counted_by_the_price_table(tmp_path):
    model = endless()
    found = await go(tmp_path, model, {"subagent_steps": 2, "prices": PRICES})
    assert found["usage"]["money"] == pytest.approx(0.14 * len(model.seen))
    assert f"- money: {found['usage']['money']:.4f}" in found["report"]


async def test_a_call_that_takes_too_long_ends_its_subagent_only(tmp_path):
    class Stuck(FakeModel):
        async def _reply(self, messages):
            if not is_orchestrator(messages) and prompt_of(messages) == "a":
                await asyncio.Event().wait()
            return await super()._reply(messages)

    rule = endless().rule
    model = Stuck(rule=lambda m: rule(m) if is_orchestrator(m) else say("fine"))
    found = await go(tmp_path, model, timeouts=Timeouts(call=0.05))
    assert "1 of 2 sub-agents are done, 1 failed." in told(found)
    assert "TimeoutError" in found["missing"][0]


async def test_a_tool_that_takes_too_long_is_told_to_the_model(tmp_path):
    @tool
    async def hang() -> str:
        """Hang."""
        await asyncio.Event().wait()
        return "never"

    rule = endless(["a"]).rule

    def once(messages):
        if is_orchestrator(messages):
            return rule(messages)
        return say(messages[-1].text) if steps_of(messages) else calls(("hang", {}))

    kind = SubAgent(name="general", description="General.", tools=[hang])
    found = await go(tmp_path, FakeModel(rule=once), subagents=[kind], timeouts=Timeouts(tool=0.05))
    assert found["status"] == "done"
    assert "TimeoutError" in told(found)


async def test_a_subagent_out_of_time_keeps_what_it_had(tmp_path):
    class Slow(FakeModel):
        async def _reply(self, messages):
            if not is_orchestrator(messages) and steps_of(messages):
                await asyncio.Event().wait()
            return await super()._reply(messages)

    rule = endless(["a"]).rule
    worker = calls(("look", {}), text="a thought")
    model = Slow(rule=lambda m: rule(m) if is_orchestrator(m) else worker)
    found = await go(tmp_path, model, {"subagent_seconds": 0.3})
    assert "stopped at its limit of 0.3 s" in found["missing"][0]
    assert "a thought" in told(found)


async def test_a_kind_has_its_own_model_and_settings(tmp_path):
    rule = endless().rule
    first = calls(
        ("assign_task", {"agent": "quick", "prompt": "x"}),
        ("assign_task", {"agent": "general", "prompt": "x"}),
    )
    settings = []

    class Own(FakeModel):
        async def _agenerate(self, messages, *args, **kwargs):
            settings.append(kwargs.get("thinking"))
            return await super()._agenerate(messages, *args, **kwargs)

    quick = SubAgent(
        name="quick",
        description="Quick.",
        model=Own(rule=lambda _: say("from its own model")),
        model_settings={"thinking": False},
    )

    def lead(messages):
        if not is_orchestrator(messages):
            return say("from the common model")
        return first if steps_of(messages) == 0 else rule(messages)

    found = await go(tmp_path, FakeModel(rule=lead), subagents=[quick])
    answers = [m.text.split("\n")[0] for m in found["messages"] if m.type == "tool"]
    assert answers == ["from its own model", "from the common model"]
    assert settings == [False]


@pytest.mark.parametrize("thinking", [True, False])
async def test_an_endpoint_that_takes_one_tool_call_a_turn(tmp_path, thinking):
    """The nvidia dialect refuses `parallel_tool_calls`; one call still fans out."""
    with KimiServer("nvidia", parallel_tool_calls=False) as server:
        llm = ChatKimi(base_url=server.base_url, api_key="k", endpoint="nvidia", thinking=thinking)
        agent = create_background_agent(llm, [look], journal=tmp_path / "j.sqlite")
        task = {"messages": [HumanMessage("Compare Paris, Oslo and Rome.")]}
        found = await agent.ainvoke(task)
        assert found["status"] == "done", found["missing"]
        assert found["usage"]["subagents"] == 3
        assert all("parallel_tool_calls" not in request for request in server.requests)
        calls_made = [len(m.tool_calls) for m in found["messages"] if m.type == "ai"]
        assert max(calls_made) == 1
        await llm.aclose()


async def test_no_subagent_starves(tmp_path):
    """Forty sub-agents share four places; they begin in the order in which they were asked for."""
    rule = endless([f"i{n}" for n in range(40)]).rule
    order = []

    def count(messages):
        if is_orchestrator(messages):
            return rule(messages)
        order.append(prompt_of(messages))
        return say("done") if steps_of(messages) == 3 else calls(("look", {}))

    found = await go(tmp_path, FakeModel(rule=count, delay=0.001), {"concurrency": 4})
    assert found["status"] == "done"
    assert len(order) == 160
    first = {name: order.index(name) for name in set(order)}
    starts = sorted(first, key=first.__getitem__)
    assert starts == [f"i{n}" for n in range(40)]
