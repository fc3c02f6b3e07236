"""Repair of tool calls that could not be parsed: ask once, with the reason."""

from collections.abc import Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, hook_config
from langchain_core.messages import AIMessage, AnyMessage, InvalidToolCall, ToolMessage
from langgraph.runtime import Runtime
from typing_extensions import override

from langchain_kimi.middleware.history import last_step, steps
from langchain_kimi.wire.reply import REASONS_KEY

_SHOWN_ARGUMENTS = 2_000


class InvalidToolCallRepair(AgentMiddleware[AgentState[Any], Any, Any]):
    """Answer each invalid tool call with an error result that gives the reason.

    Without it an agent ends silently when all calls of a message are invalid. With it the model
    is asked again: the broken call gets a tool result with `status="error"`, the valid calls
    beside it run as usual, and the message keeps its reasoning, because the question is not an
    assistant message. When `max_asks` messages in a row held nothing but invalid calls and the
    next does too, the agent ends with a message that names the calls.

    The model must send `AIMessage.invalid_tool_calls` back in the history, as `ChatKimi` does;
    otherwise the error results have no call to belong to.
    """

    def __init__(self, *, max_asks: int = 1) -> None:
        """Set how often in a row to ask.

        Args:
            max_asks: Questions in a row about messages without any valid call; at least 1.

        Raises:
            ValueError: When `max_asks` is less than 1.
        """
        super().__init__()
        if max_asks < 1:
            msg = f"max_asks is {max_asks!r}. Give 1 or more, or leave the middleware out."
            raise ValueError(msg)
        self.max_asks = max_asks

    @hook_config(can_jump_to=["model", "end"])
    @override
    def after_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """Answer the invalid calls of the new message, and ask or end."""
        step = last_step(state["messages"])
        if step is None or not step.invalid_tool_calls:
            return None
        step, renamed = _with_ids(step)
        answers: list[AnyMessage] = [step] if renamed else []
        answers += [_answer(call, step) for call in step.invalid_tool_calls]
        if step.tool_calls:
            return {"messages": answers}
        if _failures(state["messages"]) > self.max_asks:
            return {"messages": [*answers, _farewell(step)], "jump_to": "end"}
        return {"messages": answers, "jump_to": "model"}

    @hook_config(can_jump_to=["model", "end"])
    async def aafter_model(
        self, state: AgentState[Any], runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """Answer the invalid calls of the new message, and ask or end."""
        return self.after_model(state, runtime)


def _with_ids(step: AIMessage) -> tuple[AIMessage, bool]:
    """Give an id to calls that arrived without one, so that a result can point to them."""
    if all(call["id"] for call in step.invalid_tool_calls):
        return step, False
    calls = [
        call if call["id"] else {**call, "id": f"{step.id}-invalid-{position}"}
        for position, call in enumerate(step.invalid_tool_calls)
    ]
    return step.model_copy(update={"invalid_tool_calls": calls}), True


def _answer(call: InvalidToolCall, step: AIMessage) -> ToolMessage:
    if step.response_metadata.get("finish_reason") == "length":
        reason = "the reply reached its token limit before the arguments were complete"
        advice = "Send a shorter call, or split the work over several calls."
    else:
        reason = _reason(call, step)
        advice = "Send the call once more, with the arguments as one valid JSON object."
    return ToolMessage(
        content=f"Not run: {reason}.\nArguments received: {_shown(call['args'])}\n{advice}",
        name=call["name"] or "unknown",
        tool_call_id=call["id"] or "",
        status="error",
    )


def _reason(call: InvalidToolCall, step: AIMessage) -> str:
    """Return why the call is invalid; streamed messages keep it beside the calls."""
    streamed = step.response_metadata.get(REASONS_KEY, {})
    reason = call["error"] or streamed.get(call["id"]) or "the arguments are not a JSON object"
    return str(reason).rstrip(".")


def _shown(arguments: str | None) -> str:
    if not arguments:
        return "(none)"
    if len(arguments) <= _SHOWN_ARGUMENTS:
        return arguments
    return f"{arguments[:_SHOWN_ARGUMENTS]}… ({len(arguments)} characters in all)"


def _failures(messages: Sequence[AnyMessage]) -> int:
    """Count the latest model messages in a row that hold invalid calls and no valid one."""
    count = 0
    for step in reversed(steps(messages)):
        if step.tool_calls or not step.invalid_tool_calls:
            break
        count += 1
    return count


def _farewell(step: AIMessage) -> AIMessage:
    names = ", ".join(sorted({call["name"] or "unknown" for call in step.invalid_tool_calls}))
    return AIMessage(
        content=(
            f"Stopped: the model's calls of {names} could not be read, also after it was told "
            "why. There is no final answer."
        ),
        response_metadata={"stopped_by": "invalid_tool_call"},
    )
