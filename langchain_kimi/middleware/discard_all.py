"""The strategy "discard-all" of the K2.5 and K2.6 reports."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_kimi.content.stubs import is_pinned_message
from langchain_kimi.middleware.strategy import TokenCounter, since_last_cut

_DISCARDED = (
    "{count} earlier messages of this conversation, tool calls and results among them, were "
    "discarded to save context. Work on from what is left; do not start over."
)


@dataclass(frozen=True, kw_only=True)
class DiscardAll:
    """Drop the whole history each time it outgrows a threshold; keep task and latest round.

    Whenever a model call would be made above the threshold, all before it goes but system
    messages, what is pinned, the user's current messages and the round that the model has not read
    yet. This is the strategy of the K2.5 and K2.6 reports for BrowseComp ("discard-all").
    """

    trigger_tokens: int = 128_000
    """Discard above this estimate of the history's tokens."""

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages since the last cut, with a note in place of what was cut."""
        return since_last_cut(
            messages,
            limit=self.trigger_tokens,
            count_tokens=count_tokens,
            cut=_cut,
            note=_DISCARDED,
        )


def _cut(messages: list[AnyMessage]) -> list[AnyMessage]:
    """Keep what is pinned, system messages, the user's latest messages and the latest round."""
    end = max((i + 1 for i, m in enumerate(messages) if isinstance(m, HumanMessage)), default=0)
    start = end
    while start > 0 and isinstance(messages[start - 1], HumanMessage):
        start -= 1
    latest = max((i for i, m in enumerate(messages) if isinstance(m, AIMessage)), default=0)
    latest = max(latest, end)
    return [
        message
        for at, (message, pinned) in enumerate(zip(messages, _pinned(messages), strict=True))
        if at >= latest or start <= at < end or pinned or isinstance(message, SystemMessage)
    ]


def _pinned(messages: list[AnyMessage]) -> list[bool]:
    """Say for each message whether it is pinned; a call and its results are so together."""
    pinned = [is_pinned_message(message) for message in messages]
    call = 0
    for at, message in enumerate(messages):
        if not isinstance(message, ToolMessage):
            call = at
        elif pinned[at]:
            pinned[call] = True
    for at, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            pinned[at] = at > 0 and pinned[at - 1]
    return pinned
