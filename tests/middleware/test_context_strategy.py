"""The context strategies."""

from collections.abc import Sequence
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ModelRequest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_kimi import ChatKimi, create_tool_agent
from langchain_kimi.context import estimate_messages
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.middleware import ContextStrategy, DiscardAll, HideToolResults, Trim


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
        strategy, count_tokens=ten_each if strategy != "hide_tool_results" else None
    )
    agent = create_agent(model, [echo], middleware=[middleware])
    result = await agent.ainvoke({"messages": [TASK]})
    texts = [m.content for m in result["messages"] if isinstance(m, ToolMessage)]
    assert texts == [f"heard {number}" for number in range(4)]
    sent = [m.content for m in model.requests[-1] if isinstance(m, ToolMessage)]
    assert sent[-1] == "heard 3"
    assert "heard 0" not in sent


PINNED = {"additional_kwargs": {"pinned": True}}
PICTURE = {"type": "image", "url": "https://x.test/plan.png", "extras": {"pinned": True}}


@pytest.mark.parametrize("pin", [PINNED, {"content": [PICTURE]}], ids=["message", "medium"])
def test_what_is_pinned_stays(pin: dict[str, Any]) -> None:
    pinned = round_of(1, calls=2)
    pinned[2] = pinned[2].model_copy(update=pin)
    messages = [TASK, *pinned, *round_of(2), *round_of(3)]

    hidden = HideToolResults().apply(messages, ten_each)
    assert hidden[3] == pinned[2]
    assert "Hidden" in hidden[2].content
    for strategy in (DiscardAll(trigger_tokens=70), Trim(max_tokens=70, share=0.1)):
        edited = strategy.apply(messages, ten_each)
        assert [m for m in edited if m in messages] == [TASK, *pinned, *round_of(3)]
        assert "2 earlier messages" in str(edited[1].content)


@pytest.mark.parametrize("strategy", [DiscardAll(trigger_tokens=50), Trim(max_tokens=50)])
def test_system_messages_stay(strategy: Any) -> None:
    first, later = SystemMessage("Be brief."), SystemMessage("The user is in Oslo.")
    old = [HumanMessage("hello"), AIMessage("hi"), later, HumanMessage("more"), AIMessage("ok")]
    edited = strategy.apply([first, *old, TASK, *round_of(1)], ten_each)
    assert [m for m in edited if isinstance(m, SystemMessage)] == [first, later]
    assert TASK in edited
    assert HumanMessage("hello") not in edited


def test_a_conversation_that_cannot_be_cut_is_not_looked_at_again_and_again() -> None:
    counted: list[int] = []

    def counting(messages: Sequence[AnyMessage]) -> int:
        counted.append(len(messages))
        return 10 * len(messages)

    pinned = [HumanMessage("keep", **PINNED) for _ in range(200)]
    messages = [*pinned, *[m for number in range(200) for m in round_of(number)]]
    DiscardAll(trigger_tokens=400).apply(messages, counting)
    assert sum(counted) < 30 * len(messages)


def test_reasoning_and_pictures_count_as_they_are_sent() -> None:
    """Reasoning of a finished loop is not sent; v1 blocks hold it as `reasoning`."""
    thought = {"type": "reasoning", "reasoning": "thinking of it " * 100}
    call = {"name": "echo", "args": {}, "id": "echo:1"}
    loop = [AIMessage([thought], tool_calls=[call]), ToolMessage("seen", tool_call_id="echo:1")]
    limit = estimate_messages([TASK, *loop]) - 50

    assert (
        DiscardAll(trigger_tokens=limit)
        .apply([TASK, *loop, *round_of(2)], estimate_messages)[1]
        .content.startswith("<system-reminder>")
    )
    finished = [TASK, *loop, AIMessage("So."), HumanMessage("Next?")]
    assert DiscardAll(trigger_tokens=limit).apply(finished, estimate_messages) == finished
    picture = HumanMessage([{"type": "image", "url": "https://x.test/a.png"}])
    seen = [picture, AIMessage("A cat."), TASK]
    assert DiscardAll(trigger_tokens=1_500).apply(seen, estimate_messages)[0] is TASK


# --- trimming ---------------------------------------------------------------------------------


def test_trimming_keeps_rounds_whole_and_the_place_of_the_cut() -> None:
    messages: list[AnyMessage] = [HumanMessage("hello"), AIMessage("hi"), TASK]
    strategy = Trim(max_tokens=estimate_messages([TASK, *round_of(1)]) * 4)
    cuts = set()
    for number in range(1, 40):
        messages += round_of(number)
        edited = strategy.apply(messages, estimate_messages)
        assert TASK in edited
        assert edited[-2:] == messages[-2:]
        assert "thought" in edited[-2].additional_kwargs["reasoning_content"]
        calls = [c["id"] for m in edited if isinstance(m, AIMessage) for c in m.tool_calls]
        assert calls == [m.tool_call_id for m in edited if isinstance(m, ToolMessage)]
        cuts.add(calls[0])
    assert 3 < len(cuts) < 25, "not a new cut at every call"


@pytest.mark.parametrize("given", [{"max_tokens": 0}, {"share": 0}, {"share": 1.5}])
def test_a_trim_that_leaves_nothing_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(KimiInvalidInputError, match="leaves nothing"):
        Trim(**given)


def test_the_window_of_the_model_is_the_limit(scripted, calling, echo) -> None:
    answers = [calling(str(number)) for number in range(6)]
    model = scripted(*answers, "done")
    model.profile = {"max_input_tokens": 2_000}
    long = [HumanMessage("word " * 750), AIMessage("ok"), TASK]

    result = create_agent(model, [echo], middleware=[ContextStrategy("trim")]).invoke(
        {"messages": long}
    )

    assert len(result["messages"]) == 3 + 13
    assert result["messages"][0] == long[0]
    assert [len(request) for request in model.requests][:3] == [3, 5, 7]
    last = model.requests[-1]
    assert last[0].content == "find it"
    assert "2 earlier messages" in str(last[1].content)


def test_a_model_that_tells_no_window_is_left_alone(scripted) -> None:
    model = scripted("done")
    long = [HumanMessage("word " * 300_000), AIMessage("ok"), TASK]
    create_agent(model, [], middleware=[ContextStrategy("trim")]).invoke({"messages": long})
    assert len(model.requests[0]) == 3


def test_the_tool_agent_trims_by_itself(scripted) -> None:
    model = scripted("done", "done")
    model.profile = {"max_input_tokens": 2_000}
    long = {"messages": [HumanMessage("word " * 1_500), AIMessage("ok"), TASK]}
    create_tool_agent(model, [], prompt="").invoke(long)
    assert TASK.content in str(model.requests[0][0].content)
    create_tool_agent(model, [], prompt="", context_strategy=None).invoke(long)
    assert len(model.requests[1]) == 3


def test_a_model_that_keeps_its_thoughts_counts_them_all() -> None:
    thought = {"reasoning_content": "thinking of it " * 90_000}
    history = [HumanMessage("a"), AIMessage("b", additional_kwargs=thought), TASK]
    sent: dict[str, list[AnyMessage]] = {}

    def remember(name: str) -> Any:
        def handler(request: Any) -> Any:
            sent[name] = request.messages

        return handler

    for name, options in (
        ("drops", {}),
        ("keeps", {"preserve_thinking": True}),
        ("always", {"model": "moonshotai/kimi-k2.7-code"}),
    ):
        model = ChatKimi(api_key="k", **options)
        request = ModelRequest(
            model=model, messages=history, tools=[], system_message=None, state={"messages": []}
        )
        ContextStrategy("trim").wrap_model_call(request, remember(name))
    assert [len(sent[name]) for name in ("drops", "keeps", "always")] == [3, 2, 2]


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="trim, hide_tool_results, discard_all"):
        ContextStrategy("forget")  # type: ignore[arg-type]
