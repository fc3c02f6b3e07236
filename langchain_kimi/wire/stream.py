"""From stream events to message chunks."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from langchain_core.outputs import ChatGenerationChunk

from langchain_kimi.errors import KimiError
from langchain_kimi.wire import blocks
from langchain_kimi.wire.reply import Assembler, Delta

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_kimi.endpoints import Endpoint
    from langchain_kimi.wire.request import Request

__all__ = ["StreamReader"]


class _Events(Protocol):
    @property
    def request_id(self) -> str | None: ...


class StreamReader:
    """Turns the events of one stream into chunks, for the sync and the async path.

    Args:
        request: The request that is answered.
        endpoint: Where it was sent.
        v1: Whether chunks hold standard blocks as content.
        await_think_end: Hold content back until `</think>`, see `MarkerScanner`.
    """

    def __init__(
        self, request: Request, endpoint: Endpoint, *, v1: bool, await_think_end: bool
    ) -> None:
        self._may_be_empty = "stop" in request.body
        self._v1 = v1
        self.assembler = Assembler(request, endpoint, await_think_end=await_think_end)

    def chunk(self, delta: Delta) -> ChatGenerationChunk:
        """Build the chunk that carries `delta`."""
        return ChatGenerationChunk(message=blocks.chunk_of(delta, v1=self._v1))

    def end(self, *, done: bool, request_id: str | None) -> Iterator[ChatGenerationChunk]:
        """Yield what was held back and the last chunk, or refuse the reply.

        Args:
            done: Whether `[DONE]` was read.
            request_id: The server's id of the request.

        Raises:
            KimiError: See `Assembler.check`.
        """
        held_back = self.assembler.finish()
        if held_back:
            yield self.chunk(held_back)
        self.assembler.check(done=done, may_be_empty=self._may_be_empty)
        metadata = self.assembler.metadata()
        if request_id:
            metadata["request_id"] = request_id
        message = blocks.chunk_of(Delta(), v1=self._v1, last=metadata, usage=self.assembler.usage)
        yield ChatGenerationChunk(message=message)

    @contextlib.contextmanager
    def errors(self, events: _Events) -> Iterator[None]:
        """Let an error carry what had arrived before it."""
        try:
            yield
        except KimiError as error:
            if error.partial is None:
                error.partial = self.assembler.partial()
            error.request_id = error.request_id or events.request_id
            raise
