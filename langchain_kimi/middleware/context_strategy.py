"""Context strategies for long tool loops, as Kimi's reports describe them.

langchain's `ContextEditingMiddleware` copies the whole history deeply at every model call (12 ms of
CPU at 1,000 messages, against 1 to 3 ms here) and counts results, not rounds. These strategies copy
only the messages they change. They edit the request alone: the state keeps every message.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.messages.utils import count_tokens_approximately

from langchain_kimi.middleware.reminders import reminder_message

StrategyName = Literal["hide_tool_results", "discard_all"]
TokenCounter = Callable[[Sequence[AnyMessage]], int]

_HIDDEN = "[Hidden to save context. Call the tool again if this result is needed.]"
_DISCARDED = (
    "{count} earlier messages of this conversation, tool calls and results among them, were "
    "discarded to save context. Work on from what is left; do not start over."
)


def estimate_tokens(messages: Sequence[AnyMessage]) -> int:
    """Estimate tokens as langchain does, at four characters each, and count reasoning too.

    Reasoning is sent back with every step of a running tool loop, so it takes its share of the
    context. A picture counts as 1,024 tokens.
    """
    reasoning = sum(len(m.additional_kwargs.get("reasoning_content") or "") for m in messages)
    return count_tokens_approximately(messages, tokens_per_image=1_024) + reasoning // 4


class Strategy(Protocol):
    """What `ContextStrategy` needs: messages in, the messages of the request out."""

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages to send; the messages passed in stay untouched."""


@dataclass(frozen=True, kw_only=True)
class HideToolResults:
    """Hide all tool results but those of the latest rounds; keep all reasoning and calls.

    A round is a model message with its tool results. This is the strategy of the K2.6 model
    card for long tool use ("hide-tool-result").
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
            elif isinstance(message, ToolMessage) and rounds >= self.keep_rounds:
                edited[position] = message.model_copy(update={"content": _HIDDEN, "artifact": None})
        return edited


@dataclass(frozen=True, kw_only=True)
class DiscardAll:
    """Drop the whole history each time it outgrows a threshold; keep task and latest round.

    The cut is found anew from the messages at each call, by walking through the conversation as
    it grew: whenever a model call would have been made above the threshold, all before it goes
    but the user's current messages and the round that the model has not read yet. So the place
    of the cut is stable, needs no state, and survives checkpoints. This is the strategy of the
    K2.5 and K2.6 reports for BrowseComp ("discard-all").
    """

    trigger_tokens: int = 128_000
    """Discard above this estimate of the history's tokens."""

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages since the last cut, with a note in place of what was cut."""
        kept: list[AnyMessage] = []
        tokens = discarded = 0
        for message in [*messages, None]:
            is_call = message is None or isinstance(message, AIMessage)
            if is_call and tokens > self.trigger_tokens:
                before = len(kept)
                kept = _cut(kept)
                discarded += before - len(kept)
                tokens = count_tokens(kept)
            if message is not None:
                kept.append(message)
                tokens += count_tokens([message])
        return _with_note(kept, discarded)


class ContextStrategy(AgentMiddleware[AgentState[Any], Any, Any]):
    """Apply a context strategy to each model request; the state is not changed."""

    def __init__(
        self,
        strategy: StrategyName | Strategy,
        *,
        count_tokens: TokenCounter = estimate_tokens,
    ) -> None:
        """Choose the strategy.

        Args:
            strategy: `"hide_tool_results"`, `"discard_all"`, or an instance such as
                `DiscardAll(trigger_tokens=200_000)`.
            count_tokens: Counts the tokens of messages; by default `estimate_tokens`.

        Raises:
            ValueError: When a name is not one of the two.
        """
        super().__init__()
        self.strategy = _named(strategy) if isinstance(strategy, str) else strategy
        self.count_tokens = count_tokens

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model with the edited messages."""
        return handler(self._edited(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Call the model with the edited messages."""
        return await handler(self._edited(request))

    def _edited(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        messages = self.strategy.apply(request.messages, self.count_tokens)
        return request.override(messages=messages)


def _named(name: str) -> Strategy:
    strategies: dict[str, type[HideToolResults | DiscardAll]] = {
        "hide_tool_results": HideToolResults,
        "discard_all": DiscardAll,
    }
    if name not in strategies:
        msg = f"There is no context strategy {name!r}. Choose one of: {', '.join(strategies)}."
        raise ValueError(msg)
    return strategies[name]()


def _cut(messages: list[AnyMessage]) -> list[AnyMessage]:
    """Keep the user's latest messages in a row and the latest round."""
    end = max((i + 1 for i, m in enumerate(messages) if isinstance(m, HumanMessage)), default=0)
    start = end
    while start > 0 and isinstance(messages[start - 1], HumanMessage):
        start -= 1
    loop = messages[end:]
    latest = max((i for i, m in enumerate(loop) if isinstance(m, AIMessage)), default=0)
    return [*messages[start:end], *loop[latest:]]


def _with_note(messages: list[AnyMessage], discarded: int) -> list[AnyMessage]:
    """Say after the task how many messages went."""
    if not discarded:
        return messages
    task = 0
    while task < len(messages) and isinstance(messages[task], HumanMessage):
        task += 1
    note = reminder_message(_DISCARDED.format(count=discarded))
    return [*messages[:task], note, *messages[task:]]
