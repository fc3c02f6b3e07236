"""A chat model that replies from a script and records what it was sent."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from pydantic import Field


class ScriptedModel(BaseChatModel):
    """Replies with the given messages in order; the last one is repeated when it must be."""

    replies: list[AIMessage]
    repeat_last: bool = False
    requests: list[list[BaseMessage]] = Field(default_factory=list)
    tool_names: list[list[str]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[Any, AIMessage]:
        self.tool_names.append([tool.name for tool in tools])
        return self.bind(**kwargs)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        position = len(self.requests)
        if self.repeat_last:
            position = min(position, len(self.replies) - 1)
        self.requests.append(messages)
        reply = self.replies[position].model_copy(deep=True)
        reply.tool_calls = [
            {**call, "id": f"{call['id']}/{len(self.requests)}"} for call in reply.tool_calls
        ]
        return ChatResult(generations=[ChatGeneration(message=reply)])


@pytest.fixture
def scripted() -> Callable[..., ScriptedModel]:
    """Make a model that replies with these messages."""

    def make(*replies: AIMessage | str, repeat_last: bool = False) -> ScriptedModel:
        messages = [AIMessage(r) if isinstance(r, str) else r for r in replies]
        return ScriptedModel(replies=messages, repeat_last=repeat_last)

    return make


@pytest.fixture
def calling() -> Callable[..., AIMessage]:
    """Make a model message that calls `echo` once for each text."""

    def make(*texts: str, tokens: int = 10) -> AIMessage:
        calls = [
            ToolCall(name="echo", args={"text": text}, id=f"echo-{position}")
            for position, text in enumerate(texts)
        ]
        return AIMessage(
            content="",
            tool_calls=calls,
            additional_kwargs={"reasoning_content": f"I should echo {texts}."},
            usage_metadata={"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens},
        )

    return make


@pytest.fixture
def echo() -> Any:
    """A tool that remembers what it was asked."""

    @tool
    def echo(text: str) -> str:
        """Echo a text."""
        heard.append(text)
        return f"heard {text}"

    heard: list[str] = []
    echo.metadata = {"heard": heard}
    return echo
