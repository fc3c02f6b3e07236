"""The repair of invalid tool calls."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, InvalidToolCall, ToolMessage

from langchain_kimi.middleware import InvalidToolCallRepair
from langchain_kimi.wire.reply import REASONS_KEY


def broken(
    *valid: dict[str, Any], call_id: str | None = "echo-9", finish_reason: str = "tool_calls"
) -> AIMessage:
    return AIMessage(
        content="",
        tool_calls=list(valid),
        invalid_tool_calls=[
            InvalidToolCall(
                type="invalid_tool_call",
                name="echo",
                args='{"text": "a',
                id=call_id,
                error="the arguments are not valid JSON: unterminated string at character 9",
            )
        ],
        additional_kwargs={"reasoning_content": "I should echo."},
        response_metadata={"finish_reason": finish_reason},
    )


def run(model: Any, tool: Any, **options: Any) -> list[Any]:
    agent = create_agent(model, [tool], middleware=[InvalidToolCallRepair(**options)])
    return agent.invoke({"messages": [HumanMessage("go")]})["messages"]


def test_the_model_is_asked_once_with_the_reason(scripted, calling, echo) -> None:
    model = scripted(broken(), calling("a"), "done")
    messages = run(model, echo)
    answer = model.requests[1][-1]
    assert isinstance(answer, ToolMessage)
    assert (answer.status, answer.tool_call_id, answer.name) == ("error", "echo-9", "echo")
    assert "unterminated string at character 9" in answer.content
    assert '{"text": "a' in answer.content
    assert model.requests[1][-2].additional_kwargs["reasoning_content"] == "I should echo."
    assert [type(m).__name__ for m in messages] == [
        "HumanMessage", "AIMessage", "ToolMessage", "AIMessage", "ToolMessage", "AIMessage",
    ]  # fmt: skip
    assert messages[-1].content == "done"


def test_valid_calls_beside_it_run(scripted, echo) -> None:
    valid = {"name": "echo", "args": {"text": "b"}, "id": "echo-0"}
    model = scripted(broken(valid), "done")
    messages = run(model, echo)
    assert echo.metadata["heard"] == ["b"]
    results = {m.tool_call_id: m.status for m in messages if isinstance(m, ToolMessage)}
    assert results == {"echo-9": "error", "echo-0/1": "success"}
    assert messages[-1].content == "done"


def test_it_does_not_ask_for_ever(scripted, echo) -> None:
    model = scripted(broken(), repeat_last=True)
    messages = run(model, echo)
    assert len(model.requests) == 2
    assert messages[-1].content.startswith("Stopped: the model's calls of echo could not be read")
    assert messages[-1].response_metadata["stopped_by"] == "invalid_tool_call"


def test_a_good_call_between_allows_another_question(scripted, calling, echo) -> None:
    model = scripted(broken(), calling("a"), broken(), "done")
    assert run(model, echo)[-1].content == "done"


async def test_the_number_of_questions_can_be_raised(scripted, echo) -> None:
    model = scripted(broken(), repeat_last=True)
    agent = create_agent(model, [echo], middleware=[InvalidToolCallRepair(max_asks=3)])
    await agent.ainvoke({"messages": [HumanMessage("go")]})
    assert len(model.requests) == 4


def test_a_cut_call_is_told_apart(scripted, echo) -> None:
    model = scripted(broken(finish_reason="length"), "done")
    run(model, echo)
    assert "token limit" in model.requests[1][-1].content
    assert "split the work" in model.requests[1][-1].content


def test_the_reason_of_a_streamed_message_is_found(scripted, echo) -> None:
    message = broken()
    message.invalid_tool_calls[0]["error"] = None
    message.response_metadata[REASONS_KEY] = {"echo-9": "the text is unterminated"}
    model = scripted(message, "done")
    run(model, echo)
    assert model.requests[1][-1].content.startswith("Not run: the text is unterminated.\n")


def test_a_call_without_id_gets_one(scripted, echo) -> None:
    messages = run(scripted(broken(call_id=None), "done"), echo)
    given = messages[1].invalid_tool_calls[0]["id"]
    assert given
    assert messages[2].tool_call_id == given
    assert [m.type for m in messages] == ["human", "ai", "tool", "ai"]


def test_long_arguments_are_shortened(scripted, echo) -> None:
    message = broken()
    message.invalid_tool_calls[0]["args"] = "x" * 10_000
    model = scripted(message, "done")
    run(model, echo)
    assert "(10000 characters in all)" in model.requests[1][-1].content
    assert len(model.requests[1][-1].content) < 3_000


def test_asking_never_is_refused() -> None:
    with pytest.raises(ValueError, match="max_asks is 0"):
        InvalidToolCallRepair(max_asks=0)
