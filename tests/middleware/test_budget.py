"""The budget of a run."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.middleware import Budget, BudgetMiddleware


def run(model: Any, tool: Any, budget: Any, **options: Any) -> list[Any]:
    agent = create_agent(model, [tool], middleware=[BudgetMiddleware(budget)], **options)
    return agent.invoke({"messages": [HumanMessage("go")]})["messages"]


def noted(request: list[Any]) -> bool:
    return "last step" in str(request[-1].content)


def test_the_last_step_is_announced_and_can_answer(scripted, calling, echo) -> None:
    model = scripted(calling("a"), calling("b"), "here is what I have")
    messages = run(model, echo, Budget(steps=3))
    assert [noted(request) for request in model.requests] == [False, False, True]
    assert "used: 2 of 3 steps" in model.requests[2][-1].content
    assert messages[-1].content == "here is what I have"
    assert not any("last step" in str(m.content) for m in messages)


def test_a_model_that_goes_on_is_ended_with_an_account(scripted, calling, echo) -> None:
    model = scripted(calling("a"), calling("b"), calling("c"), repeat_last=True)
    messages = run(model, echo, Budget(steps=3))
    assert len(model.requests) == 3
    assert echo.metadata["heard"] == ["a", "b"]
    assert messages[-1].content == (
        "Stopped by the budget: 3 of 3 steps. Tool calls that ran: echo (2). "
        'Missing: the final answer and the results of echo({"text": "c"}).'
    )
    assert messages[-1].response_metadata["stopped_by"] == "budget"
    assert messages[-2].content == "Not run: the budget of the run is used up."


def test_tokens_are_counted_as_reported(scripted, calling, echo) -> None:
    model = scripted(calling("a", tokens=40), repeat_last=True)
    messages = run(model, echo, Budget(tokens=150))
    assert [noted(request) for request in model.requests] == [False, False, True]
    assert "120 of 150 tokens" in messages[-1].content


def test_tokens_are_estimated_when_none_are_reported(scripted, calling, echo) -> None:
    silent = calling("a")
    silent.usage_metadata = None
    model = scripted(silent, repeat_last=True)
    messages = run(model, echo, Budget(tokens=200))
    assert 1 < len(model.requests) < 10
    assert "of 200 tokens" in messages[-1].content


def test_a_run_within_the_budget_is_left_alone(scripted, calling, echo) -> None:
    model = scripted(calling("a"), "done")
    assert run(model, echo, Budget(steps=10, tokens=10_000))[-1].content == "done"
    assert not any(noted(request) for request in model.requests)


async def test_the_same_asynchronously(scripted, calling, echo) -> None:
    model = scripted(calling("a"), repeat_last=True)
    agent = create_agent(model, [echo], middleware=[BudgetMiddleware(Budget(steps=2))])
    messages = (await agent.ainvoke({"messages": [HumanMessage("go")]}))["messages"]
    assert messages[-1].content.startswith("Stopped by the budget: 2 of 2 steps")


def test_each_user_message_has_its_own_budget(scripted, calling, echo) -> None:
    model = scripted(calling("a"), "one", calling("b"), "two")
    agent = create_agent(
        model,
        [echo],
        middleware=[BudgetMiddleware(Budget(steps=3))],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "t"}}
    assert agent.invoke({"messages": [HumanMessage("1")]}, config)["messages"][-1].content == "one"
    result = agent.invoke({"messages": [HumanMessage("2")]}, config)
    assert result["messages"][-1].content == "two"
    assert "budget_spent" not in result


def test_a_pause_for_approval_does_not_refill_it(scripted, calling, echo) -> None:
    model = scripted(calling("a"), repeat_last=True)
    agent = create_agent(
        model,
        [echo],
        middleware=[HumanInTheLoopMiddleware({"echo": True}), BudgetMiddleware(Budget(steps=3))],
        checkpointer=InMemorySaver(),
    )
    config: Any = {"configurable": {"thread_id": "t"}}
    approve = Command(resume={"decisions": [{"type": "approve"}]})
    assert "__interrupt__" in agent.invoke({"messages": [HumanMessage("go")]}, config)
    assert "__interrupt__" in agent.invoke(approve, config)
    result = agent.invoke(approve, config)
    assert "__interrupt__" not in result
    assert result["messages"][-1].content.startswith("Stopped by the budget: 3 of 3 steps")


def test_a_structured_answer_on_the_last_step_counts(scripted, calling, echo) -> None:
    class Answer(BaseModel):
        text: str

    final = AIMessage("", tool_calls=[{"name": "Answer", "args": {"text": "yes"}, "id": "1"}])
    model = scripted(calling("a"), final)
    agent = create_agent(
        model,
        [echo],
        middleware=[BudgetMiddleware(Budget(steps=2))],
        response_format=ToolStrategy(Answer),
    )
    result = agent.invoke({"messages": [HumanMessage("go")]})
    assert result["structured_response"] == Answer(text="yes")
    assert isinstance(result["messages"][-1], ToolMessage)
    assert "structured answer now" in model.requests[1][-1].content


def test_the_budget_can_come_from_the_context(scripted, calling, echo) -> None:
    middleware = BudgetMiddleware(lambda context: Budget(steps=context["max_steps"]))
    model = scripted(calling("a"), repeat_last=True)
    agent = create_agent(model, [echo], middleware=[middleware], context_schema=dict)
    agent.invoke({"messages": [HumanMessage("go")]}, context={"max_steps": 4})
    assert len(model.requests) == 4


@pytest.mark.parametrize("limits", [{"steps": 0}, {"tokens": -5}])
def test_a_budget_without_room_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="allows no run"):
        Budget(**limits)


@pytest.mark.parametrize("limits", [{"steps": "3"}, {"steps": True}, {"tokens": 2.5}])
def test_a_budget_counts_in_whole_numbers(limits: dict[str, Any]) -> None:
    with pytest.raises(KimiInvalidInputError, match="is no whole number"):
        Budget(**limits)
