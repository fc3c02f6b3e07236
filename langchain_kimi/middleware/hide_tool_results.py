"""The strategy "hide-tool-result" of the K2.6 model card."""

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from langchain_kimi.content.stubs import is_pinned_message
from langchain_kimi.middleware.strategy import TokenCounter

_HIDDEN = "[Hidden to save context. Call the tool again if this result is needed.]"


@dataclass(frozen=True, kw_only=True)
class HideToolResults:
    """Hide all tool results but those of the latest rounds; keep all reasoning and calls.

    A round is a model message with its tool results. Pinned results stay. This is the strategy of
    the K2.6 model card for long tool use ("hide-tool-result").
    """

    keep_rounds: int = 1
    """Rounds whose results stay. Default 1."""

    trigger_tokens: int = 0
    """Hide only above this estimate of the request's tokens. Default 0: always."""

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages with older tool results replaced by a short note."""
        edited = list(messages)
        if self.trigger_tokens and count_tokens(messages) <= self.trigger_tokens:
            return edited
        rounds = 0
        for position in range(len(edited) - 1, -1, -1):
            message = edited[position]
            if isinstance(message, AIMessage) and message.tool_calls:
                rounds += 1
            elif rounds >= self.keep_rounds and _may_go(message):
                edited[position] = message.model_copy(update={"content": _HIDDEN, "artifact": None})
        return edited


def _may_go(message: AnyMessage) -> bool:
    return isinstance(message, ToolMessage) and not is_pinned_message(message)
