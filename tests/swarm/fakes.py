"""Fake chat models: rules instead of a server, so that a test says what the model says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

Rule = Callable[[list[BaseMessage]], AIMessage | Exception]


def say(text: str, **extra: Any) -> AIMessage:
    """A reply in words."""
    return AIMessage(
        content=text,
        usage_metadata={"input_tokens": 100, "output_tokens": 20, "total_tokens": 120},
        response_metadata={"model_name": "fake"},
        **extra,
    )


def calls(*requests: tuple[str, dict[str, Any]], text: str = "") -> AIMessage:
    """A reply that calls tools."""
    reply = say(text)
    reply.tool_calls = [
        {"name": name, "args": args, "id": f"functions.{name}:{place}", "type": "tool_call"}
        for place, (name, args) in enumerate(requests)
    ]
    return reply


class FakeModel(BaseChatModel):
    """Answers by a rule; remembers what it was asked, and how many asked at once."""

    rule: Rule
    delay: float = 0.0
    seen: list[list[BaseMessage]] = Field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=list(tools), **kwargs)

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    async def _reply(self, messages: list[BaseMessage]) -> AIMessage:
        self.seen.append(list(messages))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
            reply = self.rule(messages)
        finally:
            self.in_flight -= 1
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=await self._reply(messages))])


class StreamingFakeModel(FakeModel):
    """The same, word by word, with its reasoning first where it has some."""

    async def _astream(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
        reply = await self._reply(messages)
        run_manager = kwargs.get("run_manager")
        reasoning = reply.additional_kwargs.get("reasoning_content")
        pieces = [AIMessageChunk(content="", additional_kwargs={"reasoning_content": reasoning})]
        pieces = pieces if reasoning is not None else []
        pieces += [AIMessageChunk(content=word + " ") for word in reply.text.split()]
        chunks = [
            {"name": c["name"], "args": _json(c["args"]), "id": c["id"], "index": i}
            for i, c in enumerate(reply.tool_calls)
        ]
        last = AIMessageChunk(content="", usage_metadata=reply.usage_metadata)
        last.tool_call_chunks = chunks
        for piece in [*pieces, AIMessageChunk(content="", tool_call_chunks=chunks), last]:
            if piece is last:
                piece.tool_call_chunks = []
            chunk = ChatGenerationChunk(message=piece)
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece.text, chunk=chunk)
            yield chunk


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


def prompt_of(messages: list[BaseMessage]) -> str:
    """The task that a sub-agent was given."""
    return next(m.text for m in messages if m.type == "human")


def steps_of(messages: list[BaseMessage]) -> int:
    """How many replies the conversation holds."""
    return sum(isinstance(m, AIMessage) for m in messages)


def is_orchestrator(messages: list[BaseMessage]) -> bool:
    """Whether the orchestrator is asked."""
    return messages[0].type == "system" and messages[0].text.startswith("You lead a swarm")
