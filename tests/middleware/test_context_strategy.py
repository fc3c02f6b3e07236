"""The context strategies."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from langchain_kimi.middleware import ContextStrategy, DiscardAll, HideToolResults, estimate_tokens


def round_of(number: int, calls: int = 1) -> list[AnyMessage]:
    ids = [f"echo:{number}.{call}" for call in range(calls)]
    return [
        AIMessage(
            content="",
            tool_calls=[{"name": "echo", "args": {}, "id": id_} for id_ in ids],
            additional_kwargs={"reasoning_content": f"thought {number}"},
        ),
        *[ToolMessage(f"result {id_}", tool_call_id=id_, artifact={"big": 1}) for id_ in ids],
    ]


def ten_each(messages: Sequence[AnyMessage]) -> int:
    return 10 * len(messages)


TASK = HumanMessage("find it")


def test_hide_keeps_the_latest_round_and_all_reasoning() -> None:
    messages = [TASK, *round_of(1), *round_of(2, calls=2), *round_of(3, calls=2)]
    before = [message.model_copy(deep=True) for message in messages]
    edited = HideToolResults().apply(messages, ten_each)
    shown = [m.content.startswith("result") for m in edited if isinstance(m, ToolMessage)]
    assert shown == [False, False, False, True, True]
    assert [m for m in edited if isinstance(m, AIMessage)] == [
        m for m in messages if isinstance(m, AIMessage)
    ]
    assert edited[2].tool_call_id == "echo:1.0"
    assert edited[2].artifact is None
    assert messages == before


def test_hide_can_keep_more_rounds_and_wait_for_a_threshold() -> None:
    messages = [TASK, *round_of(1), *round_of(2), *round_of(3)]
    edited = HideToolResults(keep_rounds=2).apply(messages, ten_each)
    assert [m.content.startswith("result") for m in edited[2::2]] == [False, True, True]
    assert HideToolResults(trigger_tokens=70).apply(messages, ten_each) == messages
    assert HideToolResults(trigger_tokens=69).apply(messages, ten_each) != messages


def test_discard_keeps_task_and_unread_round() -> None:
    messages = [TASK, *round_of(1), *round_of(2), *round_of(3)]
    edited = DiscardAll(trigger_tokens=60).apply(messages, ten_each)
    assert edited[0] is TASK
    assert "4 earlier messages" in edited[1].content
    assert edited[1].type == "human"
    assert edited[2:] == messages[5:]


def test_discard_cuts_at_the_same_place_until_the_next_cut() -> None:
    messages: list[AnyMessage] = [TASK]
    lengths = []
    for number in range(1, 13):
        messages += round_of(number)
        edited = DiscardAll(trigger_tokens=60).apply(messages, ten_each)
        lengths.append(len(edited))
        assert edited[-2:] == messages[-2:]
        calls = {c["id"] for m in edited if isinstance(m, AIMessage) for c in m.tool_calls}
        assert calls == {m.tool_call_id for m in edited if isinstance(m, ToolMessage)}
    assert lengths == [3, 5, 4, 6, 4, 6, 4, 6, 4, 6, 4, 6]


def test_discard_reports_everything_that_went_once() -> None:
    messages = [TASK, *[m for number in range(1, 8) for m in round_of(number)]]
    edited = DiscardAll(trigger_tokens=60).apply(messages, ten_each)
    notes = [m for m in edited if "system-reminder" in str(m.content)]
    assert len(notes) == 1
    assert f"{len(messages) - (len(edited) - 1)} earlier messages" in notes[0].content


def test_discard_drops_earlier_turns_too() -> None:
    earlier = [HumanMessage("hello"), *round_of(1), AIMessage("found")]
    messages = [*earlier, TASK, *round_of(2)]
    edited = DiscardAll(trigger_tokens=40).apply(messages, ten_each)
    assert edited[0] is TASK
    assert edited[2:] == messages[5:]


def test_nothing_changes_below_the_threshold() -> None:
    messages = [TASK, *round_of(1)]
    assert DiscardAll(trigger_tokens=30).apply(messages, ten_each) == messages


@pytest.mark.parametrize("strategy", ["hide_tool_results", DiscardAll(trigger_tokens=60)])
async def test_the_state_keeps_everything(strategy: Any, scripted, calling, echo) -> None:
    model = scripted(*[calling(str(number)) for number in range(4)], "done")
    middleware = ContextStrategy(
        strategy, count_tokens=ten_each if strategy != "hide_tool_results" else estimate_tokens
    )
    agent = create_agent(model, [echo], middleware=[middleware])
    result = await agent.ainvoke({"messages": [TASK]})
    texts = [m.content for m in result["messages"] if isinstance(m, ToolMessage)]
    assert texts == [f"heard {number}" for number in range(4)]
    sent = [m.content for m in model.requests[-1] if isinstance(m, ToolMessage)]
    assert sent[-1] == "heard 3"
    assert "heard 0" not in sent


def test_reasoning_counts() -> None:
    plain = AIMessage("x")
    thinking = AIMessage("x", additional_kwargs={"reasoning_content": "y" * 400})
    assert estimate_tokens([thinking]) == estimate_tokens([plain]) + 100


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="hide_tool_results, discard_all"):
        ContextStrategy("forget")  # type: ignore[arg-type]
