"""The guard against repeated calls."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_kimi.middleware import RepeatedCallGuard


def run(model: Any, tools: list[Any], **counts: Any) -> list[Any]:
    agent = create_agent(model, tools, middleware=[RepeatedCallGuard(**counts)])
    return agent.invoke({"messages": [HumanMessage("go")]})["messages"]


def results(messages: list[Any]) -> list[str]:
    return [m.content for m in messages if isinstance(m, ToolMessage)]


def test_reminders_come_at_the_counts_and_grow_firmer(scripted, calling, echo) -> None:
    model = scripted(*[calling("a")] * 9, "done")
    reminded = {
        count: text
        for count, text in enumerate(results(run(model, [echo])), start=1)
        if "<system-reminder>" in text
    }
    assert list(reminded) == [3, 5, 8]
    assert all(text.startswith("heard a\n\n") for text in reminded.values())
    assert "3 times in a row" in reminded[3]
    assert "5th time" in reminded[5]
    assert "stopped at 12" in reminded[8]


def test_the_run_stops_at_twelve_with_every_call_answered(scripted, calling, echo) -> None:
    model = scripted(calling("a"), repeat_last=True)
    messages = run(model, [echo])
    assert len(model.requests) == 12
    assert echo.metadata["heard"] == ["a"] * 11
    assert messages[-1].content.startswith('Stopped: the model called echo({"text": "a"}) 12')
    assert messages[-1].response_metadata["stopped_by"] == "repeated_call"
    calls = [call["id"] for m in messages if isinstance(m, AIMessage) for call in m.tool_calls]
    assert calls == [m.tool_call_id for m in messages if isinstance(m, ToolMessage)]


async def test_the_same_asynchronously(scripted, calling, echo) -> None:
    model = scripted(calling("a"), repeat_last=True)
    agent = create_agent(model, [echo], middleware=[RepeatedCallGuard(remind_at=[2], stop_at=3)])
    messages = (await agent.ainvoke({"messages": [HumanMessage("go")]}))["messages"]
    assert ["<system-reminder>" in text for text in results(messages)] == [False, True, False]
    assert results(messages)[-1].startswith("Not run:")


def test_another_call_beside_it_does_not_hide_a_streak(scripted, calling, echo) -> None:
    model = scripted(calling("a", "b"), calling("a", "c"), calling("d", "a"), "done")
    texts = results(run(model, [echo]))
    assert ["<system-reminder>" in text for text in texts] == [False] * 5 + [True]


def test_a_different_call_between_ends_the_streak(scripted, calling, echo) -> None:
    model = scripted(*[calling("a"), calling("a"), calling("b")] * 3, "done")
    assert not any("<system-reminder>" in text for text in results(run(model, [echo])))


def test_a_new_user_message_ends_the_streak(scripted, calling, echo) -> None:
    agent = create_agent(
        scripted(calling("a"), calling("a"), "one", calling("a"), "two"),
        [echo],
        middleware=[RepeatedCallGuard()],
    )
    first = agent.invoke({"messages": [HumanMessage("go")]})["messages"]
    second = agent.invoke({"messages": [*first, HumanMessage("again")]})["messages"]
    assert not any("<system-reminder>" in text for text in results(second))


def test_a_twin_in_one_message_runs_once(scripted, calling, echo) -> None:
    messages = run(scripted(calling("a", "b", "a"), "done"), [echo])
    assert sorted(echo.metadata["heard"]) == ["a", "b"]
    assert results(messages)[2] == "Not run again: the same call as echo-0/1, see its result."


def test_key_order_of_arguments_does_not_matter(scripted) -> None:
    def add(left: int, right: int) -> int:
        """Add."""
        return left + right

    def call(**args: int) -> AIMessage:
        return AIMessage("", tool_calls=[{"name": "add", "args": args, "id": "x"}])

    model = scripted(call(left=1, right=2), call(right=2, left=1), "done")
    texts = results(run(model, [add], remind_at=[2]))
    assert ["<system-reminder>" in text for text in texts] == [False, True]


def test_a_reminder_is_added_to_content_blocks(scripted, calling) -> None:
    def echo(text: str) -> Any:
        """Echo."""
        return [{"type": "text", "text": text}]

    texts = results(run(scripted(calling("a"), calling("a"), "done"), [echo], remind_at=[2]))
    assert [block["type"] for block in texts[1]] == ["text", "text"]
    assert "<system-reminder>" in texts[1][1]["text"]


@pytest.mark.parametrize(
    ("remind_at", "stop_at"), [((3, 3), 12), ((5, 3), 12), ((3,), 3), ((1,), 5)]
)
def test_counts_must_rise(remind_at: tuple[int, ...], stop_at: int) -> None:
    with pytest.raises(ValueError, match="not a rising series"):
        RepeatedCallGuard(remind_at=remind_at, stop_at=stop_at)
