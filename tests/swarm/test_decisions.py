"""What a person decides about a tool call: edits, answers in its place, and after a kill."""

from contextlib import asynccontextmanager
from typing import Annotated

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from langchain_kimi.swarm import IdempotencyKey, create_background_agent
from langchain_kimi.swarm.live_runs import leave

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

CONFIG = {"configurable": {"thread_id": "decided"}}


class Shop:
    """A swarm of two, one of which wants to pay; what was paid is remembered."""

    def __init__(self, folder):
        self.folder = folder
        self.paid = []
        self.model = FakeModel(rule=self._rule)

    def _rule(self, messages):
        if is_orchestrator(messages):
            if steps_of(messages):
                return say("All done.")
            args = {"description": "d", "prompt_template": "{{item}}", "items": ["buy", "look"]}
            return calls(("agent_swarm", args))
        if prompt_of(messages) == "look" or steps_of(messages):
            return say(f"told: {messages[-1].text}")
        return calls(("pay", {"amount": 5}))

    @asynccontextmanager
    async def open(self):
        """Make the agent as a new process would."""

        @tool
        async def pay(amount: int, key: Annotated[str, IdempotencyKey()]) -> str:
            """Pay."""
            self.paid.append((amount, key))
            return f"paid {amount}"

        async with AsyncSqliteSaver.from_conn_string(str(self.folder / "graph.sqlite")) as saver:
            yield create_background_agent(
                self.model,
                [pay],
                interrupt_on={"pay": True},
                journal=self.folder / "journal.sqlite",
                checkpointer=saver,
            )


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


async def _decide(agent, decision):
    asked = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
    assert asked["__interrupt__"][0].value["action_requests"][0]["args"] == {"amount": 5}
    return await agent.ainvoke(Command(resume={"decisions": [decision]}), CONFIG)


def _told(found):
    return next(m for m in found["messages"] if m.type == "tool").text


async def test_an_edited_call_runs_as_edited_and_the_model_is_told(shop):
    edited = {"name": "pay", "args": {"amount": 3}}
    async with shop.open() as agent:
        found = await _decide(agent, {"type": "edit", "edited_action": edited})
    assert [amount for amount, _ in shop.paid] == [3]
    assert "told: A person changed the call before it ran.\npaid 3" in _told(found)


async def test_an_answer_in_its_place_stands_for_the_result(shop):
    async with shop.open() as agent:
        found = await _decide(agent, {"type": "respond", "message": "It is paid for already."})
    assert shop.paid == []
    assert "told: It is paid for already." in _told(found)


async def test_a_decision_that_is_not_allowed_is_refused(shop):
    async with shop.open() as agent:
        with pytest.raises(ValueError, match="'shrug' is no decision for pay; allowed are approve"):
            await _decide(agent, {"type": "shrug"})
    assert shop.paid == []


@pytest.mark.parametrize("kind", ["approve", "reject"])
async def test_an_approval_is_answered_after_the_process_is_gone(shop, kind):
    async with shop.open() as agent:
        asked = await agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)
        assert "__interrupt__" in asked
    await leave("decided")
    before = len(shop.model.seen)
    async with shop.open() as agent:
        state = await agent.aget_state(CONFIG)
        assert state.interrupts[0].value["action_requests"][0]["name"] == "pay"
        found = await agent.ainvoke(Command(resume={"decisions": [{"type": kind}]}), CONFIG)
    assert found["status"] == "done"
    assert [amount for amount, _ in shop.paid] == ([5] if kind == "approve" else [])
    assert ("told: paid 5" if kind == "approve" else "told: A person rejected") in _told(found)
    assert len(shop.model.seen) - before <= 3, "the step that asked is not paid for again"
