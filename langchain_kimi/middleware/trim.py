"""The strategy that lets a conversation grow up to the model's window, and no further."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langchain.agents.middleware import ModelRequest
from langchain_core.messages import AnyMessage

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.context import estimate_messages, estimate_tools, trim
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.middleware.strategy import TokenCounter, since_last_cut

_REPLY = 33_792
"""Tokens left for the reply: the default budget of a model that thinks, and a margin."""
_TRIMMED = (
    "{count} earlier messages of this conversation were left out, as it had outgrown the context. "
    "Work on from what is left; do not start over."
)


@dataclass(frozen=True, kw_only=True)
class Trim:
    """Leave out the oldest turns and rounds each time the conversation outgrows the window.

    What stays is what `langchain_kimi.context.trim` keeps: system messages, pinned messages and
    media, the last request, and the latest rounds with their reasoning; a call and its results stay
    or go together. Below the limit nothing is touched.
    """

    max_tokens: int | None = None
    """What the messages may cost. Default: the model's window less the system prompt, the tools
    and a reply; a model that tells no window is left alone."""

    share: float = 0.6
    """To which share of the limit it is cut, so that it happens seldom: each cut makes the
    server read the conversation anew."""

    preserve_thinking: bool = False
    """Whether the reasoning of earlier turns is sent too. A `ChatKimi` tells this by itself."""

    def __post_init__(self) -> None:
        """Refuse what would leave nothing."""
        if not 0 < self.share <= 1 or (self.max_tokens is not None and self.max_tokens < 1):
            msg = (
                f"Trim(max_tokens={self.max_tokens}, share={self.share}) leaves nothing: "
                "max_tokens is at least 1, share above 0 and at most 1."
            )
            raise KimiInvalidInputError(msg)

    def for_request(self, request: ModelRequest[Any]) -> "Trim":
        """Return the strategy with the limit that holds for a request."""
        preserves = self.preserve_thinking or always_preserves(request.model)
        limit = _room(request) if self.max_tokens is None else self.max_tokens
        return replace(self, max_tokens=limit, preserve_thinking=preserves)

    def apply(self, messages: Sequence[AnyMessage], count_tokens: TokenCounter) -> list[AnyMessage]:
        """Return the messages since the last cut, with a note where there was one."""
        if self.max_tokens is None:
            return list(messages)
        goal = max(1, int(self.max_tokens * self.share))
        shorter: Any = partial(trim, max_tokens=goal, preserve_thinking=self.preserve_thinking)
        return since_last_cut(
            messages,
            limit=self.max_tokens,
            count_tokens=count_tokens,
            cut=shorter,
            note=_TRIMMED,
        )


def always_preserves(model: Any) -> bool:
    """Say whether a model is sent the reasoning of earlier turns."""
    if not isinstance(model, ChatKimi):
        return False
    return model.preserve_thinking or model.facts.preserve_thinking == "always"


def _room(request: ModelRequest[Any]) -> int | None:
    """Return what a request's messages may cost; None where the model tells no window."""
    window = (request.model.profile or {}).get("max_input_tokens")
    if not window:
        return None
    system = [request.system_message] if request.system_message else []
    tools = request.tools if isinstance(request.model, ChatKimi) else ()
    spent = estimate_messages(system) + estimate_tools(tools)
    return max(1, window - min(_REPLY, window // 2) - spent)
