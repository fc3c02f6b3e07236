"""`with_structured_output`: one request when all goes well, one more to mend a reply."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages.ai import add_usage
from langchain_core.messages.utils import convert_to_messages
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import (
    Runnable,
    RunnableConfig,
    RunnableGenerator,
    RunnableLambda,
)
from langchain_core.runnables.utils import AddableDict

from langchain_kimi.errors import (
    KimiInvalidInputError,
    KimiStructuredOutputError,
    KimiToolChoiceError,
    KimiTruncatedOutputError,
)
from langchain_kimi.options import StructuredMethod
from langchain_kimi.structured_output.parse import parse_message
from langchain_kimi.structured_output.partial import PartialAnswer
from langchain_kimi.structured_output.schema import read_schema

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput

    from langchain_kimi.binding import KimiBinding
    from langchain_kimi.structured_output.schema import AnswerSchema

__all__ = ["Method", "structured_output"]

Method = StructuredMethod
_METHODS = ("json_schema", "function_calling", "json_mode")


def structured_output(
    llm: KimiBinding,
    schema: Any,
    *,
    method: Method | None = None,
    include_raw: bool = False,
    strict: bool | None = None,
    repair: bool = True,
    tools: Sequence[Any] | None = None,
    **kwargs: Any,
) -> Runnable[LanguageModelInput, Any]:
    """Answer in a schema.

    Args:
        llm: The model with what is bound to it.
        schema: A pydantic model, TypedDict, dataclass, Enum, `list[X]`, Union, Optional, or a
            JSON schema in plain, OpenAI or function shape.
        method: `json_schema` (default): thinking stays free and the grammar binds what follows,
            where the endpoint has one, else the prompt carries the schema. `function_calling`:
            the schema is a tool, called without thinking, since Kimi cannot be forced while it
            thinks. `json_mode`: any JSON object, with the schema in the prompt.
        include_raw: Give `{"raw", "parsed", "parsing_error"}` instead of the answer; a reply
            that does not fit is then no error.
        strict: `strict` of the `json_schema`; True unless False is passed.
        repair: Whether a reply that does not fit is shown to the model once, with the reason.
        tools: Tools to bind beside the schema. A reply that calls one is no answer.
        **kwargs: Call options.

    Returns:
        A runnable that gives the answer in its type. It streams partial answers as they grow:
        dicts, or instances of a pydantic model with the complete fields only; with `include_raw`
        the chunks (reasoning among them) under `raw` and the partial answers under `parsed`. After
        a repair the last piece has the second reply under `raw`, whole and with the usage of both;
        added up, it takes the place of the chunks before. An instance that is still growing has no
        value for the fields that are not complete, not even their defaults: reading one is an
        `AttributeError`, in a computed field too, and `model_fields_set` says which are there.

    Raises:
        KimiInvalidInputError: Method or schema cannot be used.
        KimiStructuredOutputError: From the runnable: the reply does not fit, also after the
            repair; `partial` is the message.
        KimiTruncatedOutputError: From the runnable: the token budget ran out first.
    """
    method = method or "json_schema"
    if method not in _METHODS:
        msg = f"method={method!r} is unknown; use one of: {', '.join(_METHODS)}"
        raise KimiInvalidInputError(msg)
    if schema is None:
        if method != "json_mode":
            msg = f"method={method!r} needs a schema; without one, use method='json_mode'"
            raise KimiInvalidInputError(msg)
        schema = {"title": "Answer", "type": "object"}
    answer = read_schema(schema)
    if tools:
        llm = cast("KimiBinding", llm.bind_tools(tools))
    bound = cast("KimiBinding", llm.bind(**_options(llm, answer, method, strict), **kwargs))
    asking = _Structured(bound, answer, as_tool=method == "function_calling", repair=repair)
    return _InvokeOrStream(asking, include_raw=include_raw)


def _options(
    llm: KimiBinding, answer: AnswerSchema, method: Method, strict: bool | None
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "ls_structured_output_format": {
            "kwargs": {"method": method, **({} if strict is None else {"strict": strict})},
            "schema": answer.source if answer.is_known_to_core else answer.tool(),
        }
    }
    if method == "function_calling":
        tools = llm.kwargs.get("tools") or []
        # beside other tools the model may call them first; alone, it must call this one
        bound = llm.chat_model.bind_tools(
            [answer.tool()], tool_choice=None if tools else answer.name
        )
        options |= {**bound.kwargs, "tools": [*tools, *bound.kwargs["tools"]]}
    elif method == "json_mode":
        options["response_format"] = {"type": "json_object", "schema": answer.json_schema}
    else:
        options["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": answer.name,
                "schema": answer.json_schema,
                "strict": strict is not False,
            },
        }
    return options


class _Structured:
    """Asks, reads, and asks once more."""

    def __init__(
        self, llm: KimiBinding, schema: AnswerSchema, *, as_tool: bool, repair: bool
    ) -> None:
        self._llm = llm
        self._schema = schema
        self._as_tool = as_tool
        self._repair = repair

    def bound(self, options: dict[str, Any]) -> _Structured:
        """Ask with further options of a call."""
        llm = self._llm.bind(**options)
        return _Structured(
            cast("KimiBinding", llm), self._schema, as_tool=self._as_tool, repair=self._repair
        )

    def whole(self, *, include_raw: bool) -> RunnableLambda[Any, Any]:
        """The runnable that asks for the whole answer."""
        return RunnableLambda(
            self._raw if include_raw else self._answer,
            self._araw if include_raw else self._aanswer,
            name=self._name,
        )

    def streamed(self, *, include_raw: bool) -> RunnableGenerator[Any, Any]:
        """The runnable that gives answers as they grow."""
        return RunnableGenerator(
            cast("Any", self._stream_raw if include_raw else self._stream),
            cast("Any", self._astream_raw if include_raw else self._astream),
            name=self._name,
        )

    @property
    def _name(self) -> str:
        return f"structured_output({self._schema.name})"

    # --- whole ------------------------------------------------------------------------------

    def _raw(self, given: Any, config: RunnableConfig) -> dict[str, Any]:
        return self._finish(given, config, self._ask(given, config))

    async def _araw(self, given: Any, config: RunnableConfig) -> dict[str, Any]:
        return await self._afinish(given, config, await self._aask(given, config))

    def _ask(self, given: Any, config: RunnableConfig) -> AIMessage:
        try:
            return self._llm.invoke(given, config)
        except KimiToolChoiceError as error:
            return _uncalled(error)

    async def _aask(self, given: Any, config: RunnableConfig) -> AIMessage:
        try:
            return await self._llm.ainvoke(given, config)
        except KimiToolChoiceError as error:
            return _uncalled(error)

    def _answer(self, given: Any, config: RunnableConfig) -> Any:
        return _unwrap(self._raw(given, config))

    async def _aanswer(self, given: Any, config: RunnableConfig) -> Any:
        return _unwrap(await self._araw(given, config))

    def _finish(self, given: Any, config: RunnableConfig, message: AIMessage) -> dict[str, Any]:
        result = self._read(message)
        if self._worth_repair(result):
            again = self._ask(self._correction(given, result), config)
            result = self._read(_counted(message, again))
        return result

    async def _afinish(
        self, given: Any, config: RunnableConfig, message: AIMessage
    ) -> dict[str, Any]:
        result = self._read(message)
        if self._worth_repair(result):
            again = await self._aask(self._correction(given, result), config)
            result = self._read(_counted(message, again))
        return result

    def _read(self, message: AIMessage) -> dict[str, Any]:
        try:
            parsed = parse_message(message, self._schema, as_tool=self._as_tool)
        except KimiStructuredOutputError as error:
            return {"raw": message, "parsed": None, "parsing_error": error}
        return {"raw": message, "parsed": parsed, "parsing_error": None}

    def _worth_repair(self, result: dict[str, Any]) -> bool:
        """Whether asking again may help: not where the budget ran out or other tools are called."""
        error, raw = result["parsing_error"], result["raw"]
        others = any(call["name"] != self._schema.name for call in raw.tool_calls)
        truncated = isinstance(error, KimiTruncatedOutputError)
        return self._repair and error is not None and not truncated and not others

    def _correction(self, given: Any, result: dict[str, Any]) -> list[BaseMessage]:
        """The conversation, the model's own reply, and what is wrong with it."""
        raw: AIMessage = result["raw"]
        reason = (
            f"{result['parsing_error']}\nAnswer again, complete and corrected, in the same format."
        )
        calls = [*raw.tool_calls, *raw.invalid_tool_calls]
        corrections: list[BaseMessage] = [
            ToolMessage(content=reason, tool_call_id=call["id"] or "", status="error")
            for call in calls
        ]
        return [*_messages(given), raw, *(corrections or [HumanMessage(reason)])]

    # --- streamed ---------------------------------------------------------------------------

    def _stream(self, given: Iterator[Any], config: RunnableConfig) -> Iterator[Any]:
        for piece in self._stream_raw(given, config):
            if "parsing_error" in piece:
                yield _unwrap(piece)
            elif "parsed" in piece:
                yield piece["parsed"]

    async def _astream(
        self, given: AsyncIterator[Any], config: RunnableConfig
    ) -> AsyncIterator[Any]:
        async for piece in self._astream_raw(given, config):
            if "parsing_error" in piece:
                yield _unwrap(piece)
            elif "parsed" in piece:
                yield piece["parsed"]

    def _stream_raw(self, given: Iterator[Any], config: RunnableConfig) -> Iterator[dict[str, Any]]:
        for messages in given:
            growing = _Growing(self._schema, as_tool=self._as_tool)
            try:
                for chunk in self._llm.stream(messages, config):
                    yield from growing.feed(cast("AIMessageChunk", chunk))
                message = growing.message()
            except KimiToolChoiceError as error:
                message = _uncalled(error)
            yield AddableDict(_closing(self._finish(messages, config, message), message))

    async def _astream_raw(
        self, given: AsyncIterator[Any], config: RunnableConfig
    ) -> AsyncIterator[dict[str, Any]]:
        async for messages in given:
            growing = _Growing(self._schema, as_tool=self._as_tool)
            try:
                async for chunk in self._llm.astream(messages, config):
                    for piece in growing.feed(cast("AIMessageChunk", chunk)):
                        yield piece
                message = growing.message()
            except KimiToolChoiceError as error:
                message = _uncalled(error)
            result = await self._afinish(messages, config, message)
            yield AddableDict(_closing(result, message))


class _Growing:
    """A streamed reply: its chunks, and the answer as far as it can be read."""

    def __init__(self, schema: AnswerSchema, *, as_tool: bool) -> None:
        self._chunks: list[AIMessageChunk] = []
        self._partial = PartialAnswer(schema)
        self._as_tool = as_tool

    def feed(self, chunk: AIMessageChunk) -> Iterator[dict[str, Any]]:
        self._chunks.append(chunk)
        yield AddableDict({"raw": chunk})
        piece = str(chunk.text)
        if self._as_tool:
            piece = "".join(call["args"] or "" for call in chunk.tool_call_chunks)
        answer = self._partial.feed(piece)
        if answer is not None:
            yield AddableDict({"parsed": answer})

    def message(self) -> AIMessage:
        first, *rest = self._chunks
        return first + rest if rest else first


class _InvokeOrStream(Runnable[Any, Any]):
    """One runnable for both: invoking must not go by the stream.

    It can be copied and pickled wherever the schema can; the model's key stays out, as always.
    """

    def __init__(self, asking: _Structured, *, include_raw: bool) -> None:
        self._asking = asking
        self._include_raw = include_raw
        self.whole = asking.whole(include_raw=include_raw)
        self.streamed = asking.streamed(include_raw=include_raw)
        self.name = self.whole.name

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._asking, self._include_raw)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return self._with(kwargs).whole.invoke(input, config)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        return await self._with(kwargs).whole.ainvoke(input, config)

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        yield from self._with(kwargs).streamed.stream(input, config)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        async for piece in self._with(kwargs).streamed.astream(input, config):
            yield piece

    def _with(self, options: dict[str, Any]) -> _InvokeOrStream:
        """Return the runnable with further options of the call, which go to the model."""
        if not options:
            return self
        return _InvokeOrStream(self._asking.bound(options), include_raw=self._include_raw)


def _restored(asking: _Structured, include_raw: bool) -> _InvokeOrStream:
    return _InvokeOrStream(asking, include_raw=include_raw)


def _uncalled(error: KimiToolChoiceError) -> AIMessage:
    """Return the reply without the call that could not be forced: it may answer in words."""
    if error.partial is None:
        raise error
    return error.partial


def _unwrap(result: dict[str, Any]) -> Any:
    if result["parsing_error"] is not None:
        raise result["parsing_error"]
    return result["parsed"]


def _closing(result: dict[str, Any], streamed: AIMessage) -> dict[str, Any]:
    """The last piece of a stream; the raw message has been streamed, unless it was repaired."""
    raw: AIMessage = result["raw"]
    again = {} if raw is streamed else {"raw": _whole_chunk(raw)}
    return {**again, "parsed": result["parsed"], "parsing_error": result["parsing_error"]}


class _SecondReply(AIMessageChunk):
    """The reply after a repair, whole: in a sum it takes the place of the chunks before it."""

    @classmethod
    def lc_id(cls) -> list[str]:
        """Serialize as `AIMessageChunk`, which `loads` knows."""
        return AIMessageChunk.lc_id()

    def __radd__(self, earlier: Any) -> _SecondReply:
        return self


def _whole_chunk(message: AIMessage) -> _SecondReply:
    fields = {name: getattr(message, name) for name in type(message).model_fields if name != "type"}
    return _SecondReply(**fields, chunk_position="last")


def _counted(first: AIMessage, second: AIMessage) -> AIMessage:
    """Let the second reply account for both requests."""
    usage = add_usage(first.usage_metadata, second.usage_metadata)
    return second.model_copy(update={"usage_metadata": usage})


def _messages(given: Any) -> list[BaseMessage]:
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    return convert_to_messages(given)
