"""System reminders: notes for the model inside results and user turns.

Kimi's chat template treats an assistant message without tool calls as the end of a tool loop
and drops the reasoning before it. A note for the model therefore never travels as an assistant
message: it is put into a tool result, or into a user message after it.
"""

from langchain_core.messages import HumanMessage, ToolMessage


def reminder(text: str) -> str:
    """Wrap a note in the tag that Moonshot's own clients use for it."""
    return f"<system-reminder>\n{text}\n</system-reminder>"


def reminder_message(text: str) -> HumanMessage:
    """Make a user message that carries only a note, for a request and not for the state."""
    return HumanMessage(content=reminder(text))


def append_reminder(message: ToolMessage, text: str) -> ToolMessage:
    """Return a copy of a tool result with a note after its content."""
    note = reminder(text)
    if isinstance(message.content, str):
        content: str | list[str | dict[str, object]] = f"{message.content}\n\n{note}"
    else:
        content = [*message.content, {"type": "text", "text": note}]
    return message.model_copy(update={"content": content})
