"""Model, tools and prompt from the run's context."""

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

from langchain_kimi.middleware import PerRun


def test_a_run_chooses_model_tools_and_prompt(scripted, calling, echo) -> None:
    default, chosen = scripted("default"), scripted(calling("a"), "chosen")
    agent = create_agent(
        default,
        middleware=[
            PerRun(
                model=lambda context: chosen if context else default,
                tools=lambda context: [echo] if context else [],
                prompt=lambda context: context and context["prompt"],
            )
        ],
        system_prompt="standard",
        context_schema=dict,
    )
    question = {"messages": [HumanMessage("go")]}
    assert agent.invoke(question)["messages"][-1].content == "default"
    assert default.requests[0][0].content == "standard"
    result = agent.invoke(question, context={"prompt": "special"})
    assert result["messages"][-1].content == "chosen"
    assert result["messages"][-2].content == "heard a"
    assert chosen.requests[0][0].content == "special"
    assert chosen.tool_names == [["echo"], ["echo"]]


async def test_a_tool_that_the_run_lacks_is_reported_to_the_model(scripted, calling) -> None:
    model = scripted(calling("a"), "done")
    agent = create_agent(model, middleware=[PerRun(tools=lambda _: [])], context_schema=dict)
    result = await agent.ainvoke({"messages": [HumanMessage("go")]})
    assert result["messages"][-2].status == "error"
    assert "echo" in result["messages"][-2].content
