"""The tool-use agent on strict servers of four dialects, run in every way there is."""

import logging
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from pydantic import BaseModel

from langchain_kimi import ChatKimi, create_tool_agent
from langchain_kimi.agents.tool_agent import default_prompt
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiInvalidInputError,
    KimiTruncatedStreamError,
)
from langchain_kimi.middleware import Budget, DiscardAll, PerRun, RepeatedCallGuard
from langchain_kimi.testing import (
    broken_arguments,
    call,
    end_early,
    raw_control_characters,
    say,
    think,
    turn,
    unauthorized,
)
from langchain_kimi.tools import file_tools, shell_middleware

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def ask(text: str = "What is in the notes?") -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


@pytest.fixture
def tools(tmp_path: Path) -> list[Any]:
    (tmp_path / "notes.txt").write_text("The meeting is at nine.\n")
    (tmp_path / "todo.txt").write_text("Buy milk.\n")
    return file_tools(tmp_path)


def reasoning(message: dict[str, Any]) -> Any:
    return message.get("reasoning_content", message.get("reasoning"))


async def test_a_tool_loop_and_its_replay(server, model, run, tools) -> None:
    server.script(
        think("I list the files."),
        call("list_files", path="."),
        think("Two files. I read both."),
        call("read_file", path="notes.txt"),
        call("read_file", path="todo.txt"),
        think("Enough."),
        say("A meeting at nine, and milk to buy."),
    )
    agent = create_tool_agent(model, tools, checkpointer=InMemorySaver())
    messages = await run(agent, ask(), CONFIG)
    assert messages[-1].text == "A meeting at nine, and milk to buy."
    results = [m.content for m in messages if isinstance(m, ToolMessage)]
    assert results == [
        "notes.txt\ntodo.txt",
        "    1  The meeting is at nine.",
        "    1  Buy milk.",
    ]
    last = server.requests[-1]["messages"]
    assert last[0] == {"role": "system", "content": default_prompt()}
    assert [m["role"] for m in last[1:]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
        "tool",
    ]
    assert [reasoning(m) for m in last if m["role"] == "assistant"] == [
        "I list the files.",
        "Two files. I read both.",
    ]
    ids = [c["id"] for m in last for c in m.get("tool_calls", ())]
    assert ids == ["functions.list_files:0", "functions.read_file:1", "functions.read_file:2"]
    assert ids == [m["tool_call_id"] for m in last if m["role"] == "tool"]
    assert not any("name" in m for m in last if m["role"] != "tool")

    server.script(think("I know it."), call("read_file", path="todo.txt"), say("Milk."))
    messages = await run(agent, ask("What shall I buy?"), CONFIG)
    assert messages[-1].text == "Milk."
    replayed = server.requests[-1]["messages"]
    assert [c["id"] for m in replayed for c in m.get("tool_calls", ())] == [
        *ids,
        "functions.read_file:3",
    ]
    assert server.remaining == 0


async def test_a_broken_call_is_asked_for_again(server, model, run, tools) -> None:
    server.script(
        turn(think("I read it."), call("read_file", path="notes.txt"), broken_arguments()),
        think("Once more."),
        call("read_file", path="notes.txt"),
        say("At nine."),
    )
    agent = create_tool_agent(model, tools, checkpointer=InMemorySaver())
    messages = await run(agent, ask(), CONFIG)
    assert messages[-1].text == "At nine."
    first, second = (m for m in messages if isinstance(m, ToolMessage))
    assert (first.status, second.status) == ("error", "success")
    assert first.content.startswith("Not run: ")
    assert '{"path": "notes.txt"'[:8] in first.content
    repaired = server.requests[1]["messages"]
    assert [m["role"] for m in repaired[-2:]] == ["assistant", "tool"]
    assert repaired[-1]["content"] == first.content
    assert repaired[-1]["tool_call_id"] == repaired[-2]["tool_calls"][0]["id"]
    assert reasoning(repaired[-2]) == "I read it."


async def test_a_valid_call_beside_a_broken_one_runs(server, model, tools) -> None:
    server.script(
        turn(
            call("list_files", path="."),
            call("read_file", '{"path": "notes'),
        ),
        say("One file is enough."),
    )
    agent = create_tool_agent(model, tools)
    messages = (await agent.ainvoke(ask()))["messages"]
    results = {m.name: m.status for m in messages if isinstance(m, ToolMessage)}
    assert results == {"list_files": "success", "read_file": "error"}
    sent = server.requests[1]["messages"]
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == [
        "functions.list_files:0",
        "functions.read_file:1",
    ]


async def test_control_characters_in_arguments_are_read(server, model, tools, tmp_path) -> None:
    (tmp_path / "a\nb").write_text("found\n")
    server.script(turn(call("read_file", path="a\nb"), raw_control_characters()), say("Found."))
    messages = (await create_tool_agent(model, tools).ainvoke(ask()))["messages"]
    assert messages[-2].content == "    1  found"


async def test_a_repeated_call_is_reminded_then_stopped(server, model, tools) -> None:
    server.script(*[turn(think(f"Again {n}."), call("list_files", path=".")) for n in range(12)])
    messages = (await create_tool_agent(model, tools).ainvoke(ask()))["messages"]
    reminded = [
        number
        for number, message in enumerate(
            (m for m in messages if isinstance(m, ToolMessage)), start=1
        )
        if "<system-reminder>" in message.content
    ]
    assert reminded == [3, 5, 8]
    assert messages[-1].response_metadata["stopped_by"] == "repeated_call"
    assert len(server.requests) == 12


async def test_a_guard_of_ones_own_takes_the_place(server, model, tools) -> None:
    server.script(*[turn(call("list_files", path=".")) for _ in range(4)])
    guard = RepeatedCallGuard(remind_at=[2], stop_at=4)
    await create_tool_agent(model, tools, middleware=[guard]).ainvoke(ask())
    assert len(server.requests) == 4


async def test_a_budget_ends_with_an_account(server, model, tools) -> None:
    server.script(
        call("list_files", path="."),
        call("read_file", path="notes.txt"),
        turn(call("read_file", path="todo.txt")),
    )
    agent = create_tool_agent(model, tools, budget=Budget(steps=3), checkpointer=InMemorySaver())
    messages = (await agent.ainvoke(ask(), CONFIG))["messages"]
    assert messages[-1].text.startswith("Stopped by the budget: 3 of 3 steps.")
    told = server.requests[-1]["messages"][-1]
    assert told["role"] == "user"
    assert "last step" in told["content"]
    server.script(say("Nine."))
    assert (await agent.ainvoke(ask("And?"), CONFIG))["messages"][-1].text == "Nine."


async def test_discarding_keeps_the_request_valid(server, model, tools) -> None:
    names = ["notes.txt", "todo.txt", "notes.txt", "todo.txt"]
    server.script(
        *[turn(think(f"{n}."), call("read_file", path=name)) for n, name in enumerate(names)],
        say("Done."),
    )
    agent = create_tool_agent(model, tools, context_strategy=DiscardAll(trigger_tokens=80))
    messages = (await agent.ainvoke(ask()))["messages"]
    assert messages[-1].text == "Done."
    assert len(messages) == 10
    sent = server.requests[-1]["messages"]
    assert [m["role"] for m in sent] == ["system", "user", "user", "assistant", "tool"]
    assert "earlier messages of this conversation" in sent[2]["content"]
    assert sent[3]["tool_calls"][0]["id"] == "functions.read_file:0"


@pytest.mark.parametrize("strategy", ["hide_tool_results", "discard_all"])
async def test_a_context_strategy_edits_the_request_only(server, model, tools, strategy) -> None:
    server.script(
        think("One."), call("list_files", path="."),
        think("Two."), call("read_file", path="notes.txt"),
        say("At nine."),
    )  # fmt: skip
    agent = create_tool_agent(model, tools, context_strategy=strategy)
    messages = (await agent.ainvoke(ask()))["messages"]
    assert messages[2].content == "notes.txt\ntodo.txt"
    sent = server.requests[-1]["messages"]
    contents = [m["content"] for m in sent if m["role"] == "tool"]
    assert contents[-1] == "    1  The meeting is at nine."
    hidden = contents[0].startswith("[Hidden")
    assert hidden is (strategy == "hide_tool_results")
    assert [reasoning(m) for m in sent if m["role"] == "assistant"] == ["One.", "Two."]


async def test_an_approval_edits_rejects_and_approves(server, model, run, tools) -> None:
    server.script(
        think("I read."),
        call("read_file", path="secret.txt"),
        think("Then the other."),
        call("read_file", path="todo.txt"),
        think("Then the last."),
        call("read_file", path="notes.txt"),
        say("Done."),
    )
    agent = create_tool_agent(
        model, tools, checkpointer=InMemorySaver(), interrupt_on={"read_file": True}
    )
    await agent.ainvoke(ask(), CONFIG)
    (pause,) = (await agent.aget_state(CONFIG)).interrupts
    assert pause.value["action_requests"][0]["args"] == {"path": "secret.txt"}
    edit = {"name": "read_file", "args": {"path": "notes.txt"}}
    await resume(agent, {"type": "edit", "edited_action": edit})
    await resume(agent, {"type": "reject", "message": "not that one"})
    messages = await run(agent, Command(resume={"decisions": [{"type": "approve"}]}), CONFIG)
    assert messages[-1].text == "Done."
    results = [m for m in messages if isinstance(m, ToolMessage)]
    assert "The meeting is at nine" in results[0].content
    assert "not that one" in results[1].content
    assert [m.status for m in results] == ["success", "error", "success"]
    assert server.remaining == 0


async def resume(agent: Any, decision: dict[str, Any]) -> None:
    await agent.ainvoke(Command(resume={"decisions": [decision]}), CONFIG)


async def test_a_reply_that_breaks_off_is_tried_again(server, model, tools, monkeypatch) -> None:
    monkeypatch.setattr("asyncio.sleep", immediately)
    server.script(turn(say("The meeting is at"), end_early()), say("At nine."))
    agent = create_tool_agent(model, tools)
    chunks = [c async for c, _ in agent.astream(ask(), stream_mode="messages")]
    assert "At nine." in "".join(chunk.text for chunk in chunks)
    assert len(server.requests) == 2


async def test_it_is_not_tried_for_ever(server, model, tools, monkeypatch) -> None:
    monkeypatch.setattr("asyncio.sleep", immediately)
    server.script(*[turn(say("The meeting is at"), end_early()) for _ in range(4)])
    agent = create_tool_agent(model, tools)
    with pytest.raises(KimiTruncatedStreamError):
        _ = [c async for c in agent.astream(ask(), stream_mode="messages")]
    assert len(server.requests) == 3


async def immediately(_seconds: float) -> None:
    """Do not wait between attempts."""


async def test_a_refused_key_is_not_tried_again(server, model, tools) -> None:
    server.script(unauthorized())
    with pytest.raises(KimiAuthenticationError):
        await create_tool_agent(model, tools).ainvoke(ask())
    assert len(server.requests) == 1


@pytest.mark.kimi("vllm")
async def test_an_exception_of_a_tool_is_told_to_the_model(kimi_server, caplog) -> None:
    def divide(left: int, right: int) -> float:
        """Divide two numbers."""
        return left / right

    kimi_server.script(call("divide", left=1, right=0), say("That cannot be divided."))
    agent = create_tool_agent(_model(kimi_server), [divide])
    with caplog.at_level(logging.WARNING, "langchain_kimi.agents.tool_agent"):
        messages = (await agent.ainvoke(ask()))["messages"]
    assert messages[-2].status == "error"
    assert messages[-2].content == "divide failed: ZeroDivisionError: division by zero"
    assert caplog.records[0].exc_info is not None


async def test_a_structured_answer(server, model, tools) -> None:
    class Meeting(BaseModel):
        """A meeting."""

        hour: int

    agent = create_tool_agent(model, tools, response_format=Meeting)
    server.script(call("read_file", path="notes.txt"), say('{"hour": 9}'))
    result = await agent.ainvoke(ask())
    assert result["structured_response"] == Meeting(hour=9)


@pytest.mark.kimi("vllm")
async def test_prompts(kimi_server) -> None:
    model = _model(kimi_server)
    for prompt, first in ((None, default_prompt()), ("Be kind.", "Be kind."), ("", None)):
        kimi_server.script(say("Hello."))
        await create_tool_agent(model, prompt=prompt).ainvoke(ask())
        sent = kimi_server.requests[-1]["messages"]
        assert (sent[0]["content"] if sent[0]["role"] == "system" else None) == first


def test_a_tool_that_nobody_would_be_asked_about_is_refused(caplog) -> None:
    """An approval that names no tool would let it run unasked."""
    model = ChatKimi(base_url="http://127.0.0.1:1/v1")
    with pytest.raises(KimiInvalidInputError, match=r"'divid', .*Did you mean 'divide'\?"):
        create_tool_agent(model, [divide], interrupt_on={"divid": True})
    create_tool_agent(model, [divide], interrupt_on={"divid": False, "divide": True})
    create_tool_agent(
        model,
        [{"type": "function", "function": {"name": "pay", "parameters": {}}}],
        middleware=[shell_middleware(".")],
        interrupt_on={"pay": True, "shell": True},
    )
    assert not caplog.records

    per_run = PerRun(tools=lambda _: [])
    create_tool_agent(model, [divide], middleware=[per_run], interrupt_on={"divid": True})
    (record,) = caplog.records
    assert "runs unasked" in record.message


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"model": 5}, "model is of type int, no chat model"),
        ({"tools": 5}, "tools is of type int, no list"),
        ({"tools": "files"}, "tools is of type str, no list"),
        ({"tools": ["files"]}, r"tools\[0\] is of type str, no tool"),
        ({"budget": 5}, "budget is of type int, no budget"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused(arguments: dict[str, Any], reason: str) -> None:
    fitting: dict[str, Any] = {"model": ChatKimi(base_url="http://127.0.0.1:1/v1")}
    with pytest.raises(KimiInvalidInputError, match=reason):
        create_tool_agent(**{**fitting, **arguments})


def test_the_default_prompt(snapshot) -> None:
    assert default_prompt() == snapshot


def test_the_graph(snapshot) -> None:
    agent = create_tool_agent(
        ChatKimi(base_url="http://127.0.0.1:1/v1"),
        [divide],
        budget=Budget(steps=3),
        interrupt_on={"divide": True},
        context_strategy="hide_tool_results",
    )
    assert agent.name == "tool_agent"
    edges = agent.get_graph().edges
    assert snapshot == sorted(
        f"{edge.source} {'..>' if edge.conditional else '-->'} {edge.target}" for edge in edges
    )


def divide(left: int, right: int) -> float:
    """Divide two numbers."""
    return left / right


def _model(server: Any) -> Any:
    return ChatKimi(base_url=server.base_url, endpoint=server.dialect, api_key="x")


async def test_ids_do_not_come_again_where_the_request_leaves_rounds_out(
    server, model, run, tools
) -> None:
    server.script(
        *[turn(call("list_files", path=".", pattern=f"*{n}*")) for n in range(4)], say("Done.")
    )
    agent = create_tool_agent(
        model,
        tools,
        context_strategy=DiscardAll(trigger_tokens=40),
        checkpointer=InMemorySaver(),
    )

    messages = await run(agent, ask(), CONFIG)

    calls = [one["id"] for message in messages for one in getattr(message, "tool_calls", ())]
    results = [message.tool_call_id for message in messages if isinstance(message, ToolMessage)]
    assert len(server.requests[-1]["messages"]) < len(messages)
    assert len(set(calls)) == 4
    assert results == calls
