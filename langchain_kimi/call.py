"""One call of `ChatKimi`: what is asked, how it goes out, and what becomes of the reply."""

from __future__ import annotations

import logging
import operator
from typing import TYPE_CHECKING, Any

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_kimi.conversation import earlier_ids
from langchain_kimi.errors import (
    KimiBadRequestError,
    KimiContextOverflowError,
    KimiError,
    KimiNotFoundError,
    KimiRequestTooLargeError,
)
from langchain_kimi.models import facts_of
from langchain_kimi.options import (
    fields,
    number,
    positive,
    refuse_unknown,
    stops,
    switch,
    whole,
    wire_tools,
    words,
)
from langchain_kimi.wire import blocks
from langchain_kimi.wire.reply import carries_output, read_reply
from langchain_kimi.wire.request import Options, Request, build_request, laid_over
from langchain_kimi.wire.stream import StreamReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.messages import BaseMessage

    from langchain_kimi.chat_models import ChatKimi
    from langchain_kimi.delivery.conversation import Route
    from langchain_kimi.links import Link, Links
    from langchain_kimi.transport.reply import Reply
    from langchain_kimi.transport.stream import AsyncEventStream, EventStream
    from langchain_kimi.wire.reply import Assembler

__all__ = ["Call"]

logger = logging.getLogger(__name__)

ROUTE = "/chat/completions"

_OPTIONS = frozenset(
    {
        "extra_body",
        "max_completion_tokens",
        "max_tokens",
        "model",
        "parallel_tool_calls",
        "preserve_thinking",
        "response_format",
        "seed",
        "stream",
        "stream_usage",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_p",
    }
)
_TOO_LARGE = (KimiRequestTooLargeError, KimiContextOverflowError)
_REFUSED = (KimiBadRequestError, KimiNotFoundError)
"""What another request may mend, once: with fewer media, or with media that are uploaded again."""


class Call:
    """A conversation on its way to the server, and its reply on the way back.

    Args:
        llm: The model that is called.
        links: Its connections.
        messages: The conversation; left untouched.
        stop: Stop sequences of the call, in place of the model's.
        options: Options of the call, in place of the model's fields.
    """

    __slots__ = ("_given", "links", "llm", "messages", "options", "stop")

    def __init__(
        self,
        llm: ChatKimi,
        links: Links,
        messages: list[BaseMessage],
        stop: Sequence[str] | None,
        options: dict[str, Any],
    ) -> None:
        self.llm = llm
        self.links = links
        self.messages = self._given = messages
        self.stop = stop
        self.options = options

    def request(self, *, stream: bool) -> Request:
        """Build the request.

        Raises:
            KimiInvalidInputError: An option is unknown or of the wrong kind, or a message cannot
                be sent.
        """
        llm, given = self.llm, self.options
        if given:
            refuse_unknown(given, _OPTIONS)
            switch(given, "stream", None)  # langchain-core's own: it decides which hook is called
        model = words(given, "model", llm.model)
        usage = switch(given, "stream_usage", llm.stream_usage)
        budget = positive(given, "max_completion_tokens") or positive(given, "max_tokens")
        return build_request(
            self.messages,
            Options(
                model=model,
                facts=facts_of(model),
                endpoint=llm.quirks,
                thinking=switch(given, "thinking", llm.thinking),
                preserve_thinking=switch(given, "preserve_thinking", llm.preserve_thinking),
                temperature=number(given, "temperature", llm.temperature),
                top_p=number(given, "top_p", llm.top_p),
                max_tokens=budget or llm.max_tokens,
                seed=whole(given, "seed", llm.seed),
                stop=stops(llm.stop if self.stop is None else self.stop),
                tools=wire_tools(given.get("tools")),
                tool_choice=given.get("tool_choice"),
                parallel_tool_calls=switch(given, "parallel_tool_calls", None),
                response_format=given.get("response_format"),
                stream=stream,
                earlier_ids=earlier_ids(),
                stream_options=llm.stream_options if usage else None,
                extra_body=laid_over(llm.model_kwargs, llm.extra_body, fields(given, "extra_body")),
            ),
        )

    def answer(self) -> ChatResult:
        """Ask for the whole reply."""
        self._deliver()
        request, link = self.request(stream=False), self.links.to(self.llm)
        try:
            reply = link.transport.post(ROUTE, request.body, headers=request.headers)
        except _REFUSED as error:
            request = self._mended(error, stream=False)
            reply = link.transport.post(ROUTE, request.body, headers=request.headers)
        return self._result(reply, request, link)

    async def aanswer(self) -> ChatResult:
        """Ask for the whole reply."""
        await self._adeliver()
        request, link = self.request(stream=False), self.links.to(self.llm)
        try:
            reply = await link.transport.apost(ROUTE, request.body, headers=request.headers)
        except _REFUSED as error:
            request = await self._amended(error, stream=False)
            reply = await link.transport.apost(ROUTE, request.body, headers=request.headers)
        return self._result(reply, request, link)

    def chunks(self, run_manager: CallbackManagerForLLMRun | None) -> Iterator[ChatGenerationChunk]:
        """Ask for the reply in pieces."""
        self._deliver()
        request, link = self.request(stream=True), self.links.to(self.llm)
        try:
            reader, events = self._open(request, link)
        except _REFUSED as error:
            reader, events = self._open(self._mended(error, stream=True), link)
        feed = reader.assembler.feed
        with events, reader.errors(events):
            for event in events:
                delta = feed(event)
                if delta:
                    chunk = reader.chunk(delta)
                    if run_manager:
                        run_manager.on_llm_new_token(delta.text, chunk=chunk)
                    yield chunk
            for chunk in reader.end(done=events.done, request_id=events.request_id):
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        self._learn(reader.assembler, link)

    async def achunks(
        self, run_manager: AsyncCallbackManagerForLLMRun | None
    ) -> AsyncIterator[ChatGenerationChunk]:
        """Ask for the reply in pieces."""
        await self._adeliver()
        request, link = self.request(stream=True), self.links.to(self.llm)
        try:
            reader, events = await self._aopen(request, link)
        except _REFUSED as error:
            reader, events = await self._aopen(await self._amended(error, stream=True), link)
        feed = reader.assembler.feed
        async with events:
            with reader.errors(events):
                async for event in events:
                    delta = feed(event)
                    if delta:
                        chunk = reader.chunk(delta)
                        if run_manager:
                            await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                        yield chunk
                for chunk in reader.end(done=events.done, request_id=events.request_id):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        self._learn(reader.assembler, link)

    def _open(self, request: Request, link: Link) -> tuple[StreamReader, EventStream]:
        reader = self._reader(request, link)
        events = link.transport.stream(
            ROUTE, request.body, headers=request.headers, is_output=carries_output
        )
        with reader.errors(events):
            events.open()
        return reader, events

    async def _aopen(self, request: Request, link: Link) -> tuple[StreamReader, AsyncEventStream]:
        reader = self._reader(request, link)
        events = link.transport.astream(
            ROUTE, request.body, headers=request.headers, is_output=carries_output
        )
        with reader.errors(events):
            await events.open()
        return reader, events

    def _reader(self, request: Request, link: Link) -> StreamReader:
        return StreamReader(
            request,
            self.llm.quirks,
            v1=self.llm.output_version == "v1",
            await_think_end=link.unparsed_thinking and request.thinking,
        )

    def _result(self, reply: Reply, request: Request, link: Link) -> ChatResult:
        try:
            message, assembler = read_reply(
                reply.data, request, self.llm.quirks, may_be_empty="stop" in request.body
            )
        except KimiError as error:
            error.request_id = error.request_id or reply.request_id
            raise
        self._learn(assembler, link)
        if reply.request_id:
            message.response_metadata["request_id"] = reply.request_id
        if self.llm.output_version == "v1":
            message = blocks.whole_v1(message)
        # constructed: validating it would validate the message's generation a second time
        return ChatResult.model_construct(generations=[ChatGeneration(message=message)])

    def _learn(self, reply: Assembler, link: Link) -> None:
        """Remember whether the server has a reasoning parser: else streams wait for `</think>`."""
        if reply.has_parser:
            link.unparsed_thinking = False
        elif (
            reply.stray_think_end
            and self.llm.quirks.unparsed_thinking
            and not link.unparsed_thinking
        ):
            link.unparsed_thinking = True
            logger.warning(
                "the server at %s sends thoughts as content; start it with a reasoning parser "
                "(vLLM, SGLang: --reasoning-parser kimi_k2). Until then its streams are held "
                "back up to </think>",
                self.llm.base_url,
            )

    def _deliver(self) -> None:
        """Bring media into the forms that the endpoint takes."""
        if _may_hold_media(self.messages):
            from langchain_kimi.delivery.conversation import deliver  # noqa: PLC0415  not for text

            self.messages = deliver(self.messages, self.llm.quirks, self.route())

    async def _adeliver(self) -> None:
        if _may_hold_media(self.messages):
            from langchain_kimi.delivery.conversation import adeliver  # noqa: PLC0415

            self.messages = await adeliver(self.messages, self.llm.quirks, self.route())

    def route(self) -> Route:
        """Return how media go up before the request."""
        from langchain_kimi.delivery.conversation import Route  # noqa: PLC0415

        return Route(
            base_url=self.llm.base_url or "",
            uploads=self.links.uploads,
            connect=lambda: self.links.to(self.llm).transport,
        )

    def _mended(self, error: KimiError, *, stream: bool) -> Request:
        """Return the request that a refusal leaves to try, or raise the refusal."""
        if not self._names_uploads(error):
            return self._smaller(error, stream=stream)
        self._deliver()
        return self.request(stream=stream)

    async def _amended(self, error: KimiError, *, stream: bool) -> Request:
        if not self._names_uploads(error):
            return self._smaller(error, stream=stream)
        await self._adeliver()
        return self.request(stream=stream)

    def _names_uploads(self, error: KimiError) -> bool:
        """Say whether the server has lost an upload of this call; all are then made anew."""
        ids = _file_ids(self.messages) - _file_ids(self._given)
        if isinstance(error, _TOO_LARGE) or not any(id_ in str(error) for id_ in ids):
            return False
        logger.warning("the server has lost an upload, which is made once more: %s", error)
        self.links.uploads.forget(ids)
        self.messages = self._given
        return True

    def _smaller(self, error: KimiError, *, stream: bool) -> Request:
        """Return the request with its older media told instead of shown, or raise the refusal."""
        if not isinstance(error, _TOO_LARGE):
            raise error
        from langchain_kimi.content.stubs import stub_media  # noqa: PLC0415

        fewer = stub_media(self.messages)
        if all(map(operator.is_, fewer, self.messages)):
            raise error
        logger.warning("the request was too large; its older media are sent as text stubs")
        self.messages = fewer
        return self.request(stream=stream)


def _file_ids(messages: list[BaseMessage]) -> set[str]:
    return {
        block["file_id"]
        for message in messages
        if isinstance(message.content, list)
        for block in message.content
        if isinstance(block, dict) and isinstance(block.get("file_id"), str)
    }


def _may_hold_media(messages: list[BaseMessage]) -> bool:
    """Whether a step for media is worth its cost: text alone is the rule, and the hot path."""
    return any(not isinstance(message.content, str) for message in messages)
