"""Keep a long conversation within the context, by a strategy.

langchain's `ContextEditingMiddleware` copies the whole history deeply at every model call and
counts results, not rounds. The strategies here copy only the messages they change. They edit the
request alone: the state keeps every message.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, AgentState, ModelRequest, ModelResponse

from langchain_kimi.context import estimate_messages
from langchain_kimi.conversation import remembering
from langchain_kimi.middleware.discard_all import DiscardAll
from langchain_kimi.middleware.hide_tool_results import HideToolResults
from langchain_kimi.middleware.strategy import Strategy, TokenCounter
from langchain_kimi.middleware.trim import Trim, always_preserves

StrategyName = Literal["trim", "hide_tool_results", "discard_all"]


class ContextStrategy(AgentMiddleware[AgentState[Any], Any, Any]):
    """Apply a context strategy to each model request; the state is not changed."""

    def __init__(
        self,
        strategy: StrategyName | Strategy,
        *,
        count_tokens: TokenCounter | None = None,
    ) -> None:
        """Choose the strategy.

        Args:
            strategy: `"trim"`, `"hide_tool_results"`, `"discard_all"`, or an instance such as
                `DiscardAll(trigger_tokens=200_000)`.
            count_tokens: Counts the tokens of messages; by default the package's estimate,
                `langchain_kimi.context.estimate_messages`, which knows which reasoning is sent and
                what pictures cost.

        Raises:
            ValueError: When a name is not one of the three.
        """
        super().__init__()
        self.strategy = _named(strategy) if isinstance(strategy, str) else strategy
        self.count_tokens = count_tokens

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model with the edited messages."""
        with remembering(request.state["messages"]):
            return handler(self._edited(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Call the model with the edited messages."""
        with remembering(request.state["messages"]):
            return await handler(self._edited(request))

    def _edited(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        strategy: Strategy = self.strategy
        if isinstance(strategy, Trim):
            strategy = strategy.for_request(request)
        counter = self.count_tokens or partial(
            estimate_messages, preserve_thinking=always_preserves(request.model)
        )
        return request.override(messages=strategy.apply(request.messages, counter))


def _named(name: str) -> Strategy:
    strategies: dict[str, type[Trim | HideToolResults | DiscardAll]] = {
        "trim": Trim,
        "hide_tool_results": HideToolResults,
        "discard_all": DiscardAll,
    }
    if name not in strategies:
        msg = f"There is no context strategy {name!r}. Choose one of: {', '.join(strategies)}."
        raise ValueError(msg)
    return strategies[name]()
