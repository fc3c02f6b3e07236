"""The background agent as a graph: fan-out, plans, approvals, cancelling, resuming."""

import asyncio

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_kimi.swarm import create_background_agent, running

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of


@tool
async def look_up(subject: str) -> str:
    """Look a subject up."""
    return f"facts about {subject}"


def _fan_out(items, *, final="All done."):
    """An orchestrator that sends one sub-agent for each item, which looks once and answers."""

    def rule(messages):
        if is_orchestrator(messages):
            if steps_of(messages) == 0:
                return calls(
                    (
                        "agent_swarm",
                        {"description": "d", "prompt_template": "Study {{item}}", "items": items},
                    )
                )
            return say(final)
        if steps_of(messages) == 0:
            return calls(("look_up", {"subject": prompt_of(messages).removeprefix("Study ")}))
        return say(f"Result: {messages[-1].text}")

    return rule


async def test_a_template_over_items_comes_back_item_by_item(tmp_path):
    model = FakeModel(rule=_fan_out(["a", "b", "c"]), delay=0.01)
    agent = create_background_agent(model, [look_up], journal=tmp_path / "j.sqlite")
    found = await agent.ainvoke({"messages": [HumanMessage("Study the letters")]})
    assert found["status"] == "done"
    assert found["result"] == "All done."
    told = next(m for m in found["messages"] if m.type == "tool").text
    assert told.startswith("3 of 3 sub-agents are done.")
    for item in "abc":
        assert f"Result: facts about {item}" in told
    assert model.most_in_flight == 3
    assert found["usage"]["steps"] == 8
    assert found["usage"]["critical_steps"] == 4
    assert [a["name"] for a in found["artifacts"]] == ["report.html", "report.md", "timeline.svg"]


def test_it_also_runs_without_a_loop(tmp_path):
    model = FakeModel(rule=_fan_out(["a", "b"]))
    agent = create_background_agent(model, [look_up], journal=tmp_path / "j.sqlite")
    found = agent.invoke({"messages": [HumanMessage("Study the letters")]})
    assert found["status"] == "done"


@tool
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


async def test_an_approval_comes_at_once_and_siblings_go_on(tmp_path):
    rule_of = _fan_out(["a", "b", "c"])

    def rule(messages):
        if not is_orchestrator(messages) and "Study a" in prompt_of(messages):
            return say("bought") if steps_of(messages) else calls(("pay", {"amount": 5}))
        return rule_of(messages)

    model = FakeModel(rule=rule, delay=0.05)
    agent = create_background_agent(
        model,
        [look_up, pay],
        interrupt_on={"pay": {"allowed_decisions": ["approve", "reject"]}},
        journal=tmp_path / "j.sqlite",
        checkpointer=InMemorySaver(),
    )
    config = {"configurable": {"thread_id": "t"}}
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, config)
    (asked,) = found["__interrupt__"]
    assert asked.value["action_requests"][0]["name"] == "pay"
    assert asked.value["review_configs"] == [
        {"action_name": "pay", "allowed_decisions": ["approve", "reject"]}
    ]
    handle = running("t")
    while sum(one.status == "done" for one in handle.agents()) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert len(model.seen) == 6, "the siblings finished, and the one that asked waits"

    found = await agent.ainvoke(Command(resume={"decisions": [{"type": "approve"}]}), config)
    assert found["status"] == "done"
    assert "bought" in next(m for m in found["messages"] if m.type == "tool").text


async def test_budget_of_subagents_leaves_a_clean_end(tmp_path):
    model = FakeModel(rule=_fan_out([str(n) for n in range(10)]))
    agent = create_background_agent(model, [look_up], journal=tmp_path / "j.sqlite")
    found = await agent.ainvoke(
        {"messages": [HumanMessage("go")], "budget": {"subagents": 4, "concurrency": 2}}
    )
    assert found["status"] == "incomplete"
    assert found["usage"]["subagents"] == 4
    assert sum("not started" in line for line in found["missing"]) == 6
    assert model.most_in_flight == 2


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8, 13, 20])
async def test_steps_are_never_exceeded(tmp_path, steps):
    model = FakeModel(rule=_fan_out([str(n) for n in range(5)]))
    agent = create_background_agent(model, [look_up], journal=tmp_path / "j.sqlite")
    found = await agent.ainvoke({"messages": [HumanMessage("go")], "budget": {"steps": steps}})
    assert len(model.seen) <= steps
    assert found["usage"]["steps"] == len(model.seen)
    assert found["status"] == ("done" if steps >= 20 else "incomplete")
