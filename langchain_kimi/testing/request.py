"""A chat request as the server reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_kimi.testing.tokens import prompt_tokens


@dataclass(frozen=True)
class ChatRequest:
    """The JSON body of a chat request, with what the server asks of it."""

    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """The model asked for."""
        return str(self.body.get("model"))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation."""
        return list(self.body.get("messages") or ())

    @property
    def tools(self) -> list[dict[str, Any]]:
        """The declared tools."""
        return list(self.body.get("tools") or ())

    @property
    def stream(self) -> bool:
        """Whether the reply is to be streamed."""
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        """Whether a usage chunk is to end the stream."""
        options = self.body.get("stream_options")
        return isinstance(options, Mapping) and bool(options.get("include_usage"))

    @property
    def max_tokens(self) -> int | None:
        """The budget for the whole reply, reasoning included; None for no limit."""
        limit = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return None if limit is None else int(limit)

    @property
    def choices(self) -> int:
        """How many answers the reply is to hold."""
        return int(self.body.get("n") or 1)

    @property
    def stop(self) -> list[str]:
        """The stop strings."""
        stop = self.body.get("stop") or []
        return [stop] if isinstance(stop, str) else list(stop)

    @property
    def template_switches(self) -> Mapping[str, Any]:
        """The ``chat_template_kwargs``."""
        switches = self.body.get("chat_template_kwargs")
        return switches if isinstance(switches, Mapping) else {}

    @property
    def named_tool(self) -> str | None:
        """The tool that ``tool_choice`` forces by name."""
        choice = self.body.get("tool_choice")
        if not isinstance(choice, Mapping):
            return None
        return str((choice.get("function") or {}).get("name"))

    @property
    def earlier_calls(self) -> int:
        """How many tool calls the conversation holds already."""
        return sum(len(message.get("tool_calls") or ()) for message in self.messages)

    @cached_property
    def prompt_tokens(self) -> int:
        """The approximate number of prompt tokens."""
        return prompt_tokens(self.body)
