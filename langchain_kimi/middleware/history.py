"""Reading a conversation: the running turn, its steps, its calls."""

import json
from collections.abc import Sequence

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage


def running_turn(messages: Sequence[AnyMessage]) -> Sequence[AnyMessage]:
    """Return the messages after the last one from the user."""
    for position in range(len(messages) - 1, -1, -1):
        if isinstance(messages[position], HumanMessage):
            return messages[position + 1 :]
    return messages


def steps(messages: Sequence[AnyMessage]) -> list[AIMessage]:
    """Return the model's messages of the running turn, oldest first."""
    return [message for message in running_turn(messages) if isinstance(message, AIMessage)]


def last_step(messages: Sequence[AnyMessage]) -> AIMessage | None:
    """Return the model's latest message, or None when there is none."""
    return next((m for m in reversed(messages) if isinstance(m, AIMessage)), None)


def unanswered(messages: Sequence[AnyMessage]) -> list[ToolCall]:
    """Return the calls of the latest model message that have no result yet."""
    answered: set[str] = set()
    for message in reversed(messages):
        if isinstance(message, ToolMessage):
            answered.add(message.tool_call_id)
        elif isinstance(message, AIMessage):
            return [call for call in message.tool_calls if call["id"] not in answered]
    return []


def signature(call: ToolCall) -> str:
    """Return what makes two calls the same: the name and the arguments, key order aside."""
    arguments = json.dumps(call["args"], sort_keys=True, ensure_ascii=False, default=str)
    return f"{call['name']}({arguments})"


def refusals(calls: Sequence[ToolCall], reason: str) -> list[ToolMessage]:
    """Answer calls that will not run, so that each call keeps its result in the history."""
    return [
        ToolMessage(
            content=f"Not run: {reason}",
            name=call["name"],
            tool_call_id=call["id"] or "",
            status="error",
        )
        for call in calls
    ]
