"""A guard against a model that makes the same call again and again."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware, AgentState, ToolCallRequest, hook_config
from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.runtime import Runtime
from langgraph.types import Command
from typing_extensions import override

from langchain_kimi.middleware.history import last_step, refusals, signature, steps, unanswered
from langchain_kimi.middleware.reminders import append_reminder

ToolResult = ToolMessage | Command[Any]

_FIRST = (
    "You have made this same call with the same arguments {count} times in a row. "
    "Its result will not change. Use what it returned, or try something else."
)
_FIRMER = (
    "This is the same call for the {count}th time in a row. Repeating it does not help. "
    "Change the arguments, take another tool, or answer from what you have."
)
_LAST = (
    "This call has been repeated {count} times in a row; the run is stopped at {stop_at}. "
    "Do not make it again. Say what you found and what is missing."
)
_REMINDERS = (_FIRST, _FIRMER, _LAST)


class RepeatedCallGuard(AgentMiddleware[AgentState[Any], Any, Any]):
    """Remind a model that repeats a call, and stop the run when it will not let go.

    A call is the same when its name and arguments are. The streak of a call is the number of
    model messages in a row, within the running turn, that contain it; another call beside it
    does not break the streak. At each count in `remind_at` a system reminder, firmer each time,
    is added to the tool's result. At `stop_at` the call does not run: the calls are answered
    as not run and the agent ends with a message that says so.

    Within one message an identical second call is not run; its result points to the first.
    Moonshot advises the counts (help center, troubleshooting); its own clients stop at 12.
    """

    def __init__(self, *, remind_at: Sequence[int] = (3, 5, 8), stop_at: int = 12) -> None:
        """Set the counts.

        Args:
            remind_at: Streaks at which a reminder is added, rising, each below `stop_at`.
            stop_at: The streak at which the run ends.

        Raises:
            ValueError: When the counts are not rising from 2 up to below `stop_at`.
        """
        super().__init__()
        counts = [*remind_at, stop_at]
        if counts != sorted(set(counts)) or counts[0] < 2:
            msg = (
                f"remind_at={tuple(remind_at)!r} with stop_at={stop_at!r} is not a rising series. "
                "Give counts from 2 upwards, each larger than the one before, below stop_at."
            )
            raise ValueError(msg)
        self.remind_at = tuple(remind_at)
        self.stop_at = stop_at

    @hook_config(can_jump_to=["end"])
    @override
    def after_model(self, state: AgentState[Any], runtime: Runtime[Any]) -> dict[str, Any] | None:
        """End the run when a call of the new message has reached `stop_at`."""
        messages = state["messages"]
        for call in unanswered(messages):
            if streak(messages, signature(call)) >= self.stop_at:
                reason = f"the same call was made {self.stop_at} times in a row."
                return {
                    "messages": [*refusals(unanswered(messages), reason), self._farewell(call)],
                    "jump_to": "end",
                }
        return None

    @hook_config(can_jump_to=["end"])
    async def aafter_model(
        self, state: AgentState[Any], runtime: Runtime[Any]
    ) -> dict[str, Any] | None:
        """End the run when a call of the new message has reached `stop_at`."""
        return self.after_model(state, runtime)

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolResult]
    ) -> ToolResult:
        """Run the call unless it is a twin, and remind the model of a streak."""
        if (twin := self._twin(request)) is not None:
            return twin
        return self._reminded(request, handler(request))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolResult]]
    ) -> ToolResult:
        """Run the call unless it is a twin, and remind the model of a streak."""
        if (twin := self._twin(request)) is not None:
            return twin
        return self._reminded(request, await handler(request))

    def _twin(self, request: ToolCallRequest) -> ToolMessage | None:
        step = last_step(request.state["messages"])
        call = request.tool_call
        for earlier in step.tool_calls if step else ():
            if earlier["id"] == call["id"]:
                return None
            if signature(earlier) == signature(call):
                return ToolMessage(
                    content=f"Not run again: the same call as {earlier['id']}, see its result.",
                    name=call["name"],
                    tool_call_id=call["id"] or "",
                )
        return None

    def _reminded(self, request: ToolCallRequest, result: ToolResult) -> ToolResult:
        count = streak(request.state["messages"], signature(request.tool_call))
        if count not in self.remind_at or not isinstance(result, ToolMessage):
            return result
        grade = min(self.remind_at.index(count), len(_REMINDERS) - 1)
        text = _REMINDERS[grade].format(count=count, stop_at=self.stop_at)
        return append_reminder(result, text)

    def _farewell(self, call: Any) -> AIMessage:
        return AIMessage(
            content=(
                f"Stopped: the model called {signature(call)} {self.stop_at} times in a row "
                "and did not use the result. There is no final answer."
            ),
            response_metadata={"stopped_by": "repeated_call"},
        )


def streak(messages: Sequence[AnyMessage], wanted: str) -> int:
    """Count the latest model messages in a row, in the running turn, that make the call."""
    count = 0
    for step in reversed(steps(messages)):
        if not any(signature(call) == wanted for call in step.tool_calls):
            break
        count += 1
    return count
