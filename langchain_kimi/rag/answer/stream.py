"""Tokens of a draft for the stream `messages`, taken apart like the answer that follows them."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langgraph.graph.message import push_message

from langchain_kimi.rag.answer.inert import InertStream

REASONING = "reasoning_content"


class InertTokens(BaseCallbackHandler):
    """Passes the chunks of one model call on, so that the stream can be shown as Markdown.

    The call itself carries the tag that keeps it out of the stream `messages`.
    """

    run_inline = True
    raise_error = True

    def __init__(self) -> None:
        self._text = InertStream()
        self._reasoning = InertStream()
        self._id: str | None = None

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **kwargs: Any) -> None:
        """Pass a chunk on."""
        if isinstance(chunk, ChatGenerationChunk):
            self._id = chunk.message.id
            _push(self._shown(chunk.message))

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        """Pass on what waited for more."""
        text, reasoning = self._text.end(), self._reasoning.end()
        if self._id is not None and (text or reasoning):
            more = {REASONING: reasoning} if reasoning else {}
            _push(AIMessageChunk(content=text, id=self._id, additional_kwargs=more))

    def _shown(self, message: BaseMessage) -> BaseMessage:
        content: Any = message.content
        if isinstance(content, str):
            content = self._text.feed(content)
        else:
            content = [self._block(block) for block in content]
        more = dict(message.additional_kwargs)
        if isinstance(more.get(REASONING), str):
            more[REASONING] = self._reasoning.feed(more[REASONING])
        return message.model_copy(update={"content": content, "additional_kwargs": more})

    def _block(self, block: Any) -> Any:
        if isinstance(block, str):
            return self._text.feed(block)
        if isinstance(block.get("text"), str):
            return {**block, "text": self._text.feed(block["text"])}
        if isinstance(block.get("reasoning"), str):
            return {**block, "reasoning": self._reasoning.feed(block["reasoning"])}
        return block


def _push(message: BaseMessage) -> None:
    if message.id is not None:
        push_message(message, state_key=None)
