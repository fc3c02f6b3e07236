"""langchain's own middleware beside the agent's, on strict servers of four dialects."""

from typing import Any

from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
)
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi import ChatKimi, create_tool_agent
from langchain_kimi.testing import call, retired, say, think, turn

CONFIG: Any = {"configurable": {"thread_id": "1"}}


def look(place: str) -> str:
    """Look at a place.

    Args:
        place: Where to look.
    """
    return f"Nothing at {place}."


def ask(text: str = "Where is it?") -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


async def test_a_list_of_things_to_do(server, model, run) -> None:
    todos = [{"content": "Look in the drawer", "status": "in_progress"}]
    server.script(
        think("I plan."),
        call("write_todos", todos=todos),
        think("I look."),
        call("look", place="drawer"),
        say("Not in the drawer."),
    )
    agent = create_tool_agent(
        model, [look], middleware=[TodoListMiddleware()], checkpointer=InMemorySaver()
    )
    messages = await run(agent, ask(), CONFIG)
    assert messages[-1].text == "Not in the drawer."
    assert agent.get_state(CONFIG).values["todos"] == todos
    assert {"look", "write_todos"} == {
        tool["function"]["name"] for tool in server.requests[0]["tools"]
    }


async def test_limits_on_calls(server, model) -> None:
    server.script(
        *[turn(think("On."), call("look", place=str(number))) for number in range(3)],
        say("Not found."),
    )
    limits = [ToolCallLimitMiddleware(run_limit=2), ModelCallLimitMiddleware(run_limit=10)]
    agent = create_tool_agent(model, [look], middleware=limits)
    messages = (await agent.ainvoke(ask()))["messages"]
    assert [m.status for m in messages if isinstance(m, ToolMessage)] == [
        "success",
        "success",
        "error",
    ]
    assert messages[-1].text == "Not found."


async def test_a_summary_of_a_long_conversation(server, model) -> None:
    server.script(
        think("I look."),
        call("look", place="drawer"),
        think("And there."),
        call("look", place="shelf"),
        say("Summary: nothing in the drawer."),
        say("Not found."),
    )
    summary = SummarizationMiddleware(model, trigger=("messages", 5), keep=("messages", 2))
    agent = create_tool_agent(model, [look], middleware=[summary])
    messages = (await agent.ainvoke(ask()))["messages"]
    assert messages[-1].text == "Not found."
    sent = server.requests[-1]["messages"]
    assert "Summary: nothing in the drawer." in str(sent[1]["content"])
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool"]


async def test_another_model_when_one_is_gone(server, model) -> None:
    server.script(retired(), say("From the other one."))
    other = ChatKimi(
        base_url=server.base_url, api_key="secret-key", endpoint=server.dialect, thinking=False
    )
    agent = create_tool_agent(model, [look], middleware=[ModelFallbackMiddleware(other)])
    assert (await agent.ainvoke(ask()))["messages"][-1].text == "From the other one."
    assert len(server.requests) == 2
    await other.aclose()
