"""What a context strategy is, and the walk that those share which cut a conversation."""

from collections.abc import Callable, Sequence
from typing import Protocol

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage

from langchain_kimi.middleware.reminders import reminder_message

TokenCounter = Callable[[Sequence[AnyMessage]], int]
Cut = Callable[[list[AnyMessage]], list[AnyMessage]]

_STEP = 8
"""Where an earlier cut could not bring a conversation under its limit, the next one waits until
an eighth more has come, or the present call: each costs a look at everything."""


class Strategy(Protocol):
    """What `ContextStrategy` needs: messages in, the messages of the request out."""

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages to send; the messages passed in stay untouched."""


def since_last_cut(
    messages: Sequence[AnyMessage], *, limit: int, count_tokens: TokenCounter, cut: Cut, note: str
) -> list[AnyMessage]:
    """Walk through a conversation as it grew and cut it wherever a call would exceed the limit.

    The place of a cut follows from the messages before it. So it is stable, which keeps the
    server's cached prefix useful, needs no state, and survives checkpoints.

    Args:
        messages: The conversation.
        limit: Tokens above which it is cut before a model call.
        count_tokens: Counts the tokens of messages.
        cut: Returns what stays.
        note: Tells the model what went; `{count}` is the number of messages.
    """
    kept: list[AnyMessage] = []
    tokens = gone = 0
    threshold = limit
    for message in [*messages, None]:
        is_call = message is None or isinstance(message, AIMessage)
        most = limit if message is None else threshold
        if is_call and tokens > most:
            # the sum counts the reasoning of finished loops too, which is no longer sent
            tokens = count_tokens(kept)
            if tokens > most:
                before = len(kept)
                kept = cut(kept)
                gone += before - len(kept)
                tokens = count_tokens(kept) if len(kept) < before else tokens
                threshold = limit if tokens <= limit else tokens + tokens // _STEP
        if message is not None:
            kept.append(message)
            tokens += count_tokens([message])
    return _with_note(kept, note.format(count=gone)) if gone else kept


def _with_note(messages: list[AnyMessage], text: str) -> list[AnyMessage]:
    """Put a note behind the first of what is left: system messages and the user's."""
    start = 0
    while start < len(messages) and isinstance(messages[start], SystemMessage | HumanMessage):
        start += 1
    return [*messages[:start], reminder_message(text), *messages[start:]]
