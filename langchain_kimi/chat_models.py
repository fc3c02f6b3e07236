"""`ChatKimi`: fields, environment and hooks. The dialect is in `wire/`, sockets in `transport/`."""

from __future__ import annotations

import inspect
import logging
import operator
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.runnables.utils import AnyConfigurableField, ConfigurableField
from langchain_core.tools import BaseTool
from langchain_nvidia_ai_endpoints import ChatNVIDIA, Model
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, model_validator

from langchain_kimi._version import __version__
from langchain_kimi.binding import KimiBinding
from langchain_kimi.delivery.uploads import Uploads
from langchain_kimi.endpoints import Endpoint, EndpointName, resolve_endpoint, row_of
from langchain_kimi.errors import (
    KimiAuthenticationError,
    KimiContextOverflowError,
    KimiError,
    KimiNotFoundError,
    KimiRequestTooLargeError,
    KimiTimeoutError,
)
from langchain_kimi.models import ModelFacts, facts_of
from langchain_kimi.options import (
    MOST_TOKENS,
    StructuredMethod,
    as_timeout,
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
from langchain_kimi.transport import Timeout, Transport
from langchain_kimi.transport.server import open_headers
from langchain_kimi.wire import blocks
from langchain_kimi.wire.budget import estimate_request
from langchain_kimi.wire.reply import PROVIDER, carries_output, read_reply
from langchain_kimi.wire.request import Options, Request, build_request, laid_over
from langchain_kimi.wire.stream import StreamReader
from langchain_kimi.wire.tool_schemas import to_kimi_tools

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LangSmithParams
    from langchain_core.language_models.model_profile import ModelProfile

    from langchain_kimi.delivery.conversation import Route

__all__ = ["DEFAULT_MODEL", "ChatKimi"]

logger = logging.getLogger(__name__)

DEFAULT_MODEL = "moonshotai/kimi-k2.6"
ROUTE = "/chat/completions"

_CALL_OPTIONS = frozenset(
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
_COUNT_TIMEOUT = Timeout(connect=3, response=10, idle=10)
_lock = threading.Lock()

blocks.register()


class _Link(NamedTuple):
    """A transport, and what it was made of; plain secrets are in neither."""

    transport: Transport
    settings: tuple[Any, ...]


class ChatKimi(ChatNVIDIA):
    """Kimi as a LangChain chat model, on NVIDIA, NIM, vLLM, SGLang or Moonshot.

    It is a `ChatNVIDIA` by name and rules (constructor, key, base URL, model table) and owns the
    conversion of messages and the transport.

    Setup:
        Install `langchain-kimi-nvidia` and set `NVIDIA_API_KEY`, or `MOONSHOT_API_KEY` for
        Moonshot; a server of your own needs neither.

        ```bash
        pip install langchain-kimi-nvidia
        export NVIDIA_API_KEY="nvapi-..."
        ```

    Key init args:
        model: Model id; default `moonshotai/kimi-k2.6`.
        base_url: Where the server is; default NVIDIA's catalog.
        endpoint: Whose dialect it speaks; told from the URL by default.
        thinking: Whether the model thinks before it answers.
        max_completion_tokens: Budget for reasoning and answer together.

    Instantiate:
        ```python
        from langchain_kimi import ChatKimi

        llm = ChatKimi(model="moonshotai/kimi-k2.6", thinking=True)
        ```

    Invoke:
        ```python
        message = llm.invoke([("system", "Be brief."), ("human", "What is an SSE stream?")])
        message.content
        message.additional_kwargs["reasoning_content"]
        ```

    Stream:
        ```python
        for chunk in llm.stream("Count to three."):
            for block in chunk.content_blocks:
                if block["type"] == "reasoning":
                    print("thinks:", block["reasoning"])
                elif block["type"] == "text":
                    print(block["text"], end="")
        ```

    Async:
        ```python
        async def ask() -> str:
            message = await llm.ainvoke("What is an event loop?")
            return message.text
        ```

    Tool calling:
        ```python
        from pydantic import BaseModel, Field


        class GetWeather(BaseModel):
            '''Get the current weather of a city.'''

            city: str = Field(description="The city's name, for example Paris")


        message = llm.bind_tools([GetWeather]).invoke("What is the weather in Paris?")
        message.tool_calls
        ```

    Structured output:
        ```python
        class City(BaseModel):
            name: str
            country: str


        city = llm.with_structured_output(City).invoke("Paris is the capital of France.")
        ```

    Image and video input:
        ```python
        import base64

        pixel = base64.b64encode(png_bytes).decode()
        message = llm.invoke(
            [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What is in this picture?"},
                        {"type": "image", "base64": pixel, "mime_type": "image/png"},
                    ],
                }
            ]
        )
        ```

    Token usage:
        ```python
        message = llm.invoke("Hello")
        message.usage_metadata["output_tokens"]
        ```

    Response metadata:
        ```python
        message.response_metadata["finish_reason"]
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    model: str = DEFAULT_MODEL
    """Model id. Unknown ids work, with the facts of the newest Kimi that can be switched."""

    api_key: SecretStr | None = Field(default=None, exclude=True, repr=False)
    """The key. Default: `NVIDIA_API_KEY`, or `MOONSHOT_API_KEY` where the endpoint is Moonshot.
    Like ChatNVIDIA's it goes to whatever base URL is set; an empty string sends none."""

    endpoint: EndpointName = "auto"
    """Whose dialect the server speaks. `auto` tells it from the base URL: NVIDIA's and Moonshot's
    public hosts, else `vllm`, which covers self-hosted NIM."""

    thinking: bool = True
    """Whether the model thinks before it answers. Also per binding and per call."""

    preserve_thinking: bool = False
    """Whether the reasoning of turns before the last answer stays in the prompt (K2.6 and newer).
    The reasoning of a running tool loop always does."""

    max_tokens: int | None = Field(
        default=None, gt=0, le=MOST_TOKENS, alias="max_completion_tokens"
    )
    """Budget of reasoning and answer together, in tokens. Default: 32,768 where the model thinks,
    16,384 where it does not, less where the context window or the endpoint has less."""

    max_retries: int = Field(default=2, ge=0)
    """How often a transient failure is tried again, before the first streamed token only."""

    timeout: float | Timeout | None = None
    """Seconds. A number bounds each phase: connecting, the first byte, the silence between two.
    Default: `Timeout()`, 15 s, 3,600 s and 300 s."""

    streaming: bool = False
    """Whether `invoke` goes by the stream too, where a long silence would be cut on the way."""

    stream_usage: bool = True
    """Whether a stream ends with its token usage."""

    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Fields laid over the request's JSON, objects field by field."""

    default_headers: dict[str, str] = Field(default_factory=dict, exclude=True, repr=False)
    """Headers of every request. All but a few standard ones may hold a secret: they are left out of
    dumps and pickles, and their values out of error texts."""

    verify_ssl: bool | str = True
    """True, False, or the path of a CA file."""

    _link: _Link | None = PrivateAttr(default=None)
    _uploads: Uploads = PrivateAttr(default_factory=Uploads)
    _unparsed_thinking: bool = PrivateAttr(default=False)
    _has_no_tokenizer: bool = PrivateAttr(default=False)

    # --- construction -----------------------------------------------------------------------

    def __init__(
        self,
        *,
        model: str | None = None,
        nvidia_api_key: str | SecretStr | None = None,
        api_key: str | SecretStr | None = None,
        base_url: str | None = None,
        temperature: float | None = None,
        max_completion_tokens: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | list[str] | None = None,
        default_headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Create a model; nothing is opened or asked before the first call.

        The arguments are the fields. `nvidia_api_key` and `nvidia_base_url` are ChatNVIDIA's other
        names for `api_key` and `base_url`.

        Raises:
            KimiInvalidInputError: An argument is unknown (the message names the nearest known
                one), or endpoint and base URL do not go together.
            pydantic.ValidationError: A value has the wrong type or range.
        """
        base_url = base_url or kwargs.pop("nvidia_base_url", None)
        given = {
            "model": model,
            # an empty key is the caller's word that none is to be sent
            "api_key": nvidia_api_key if api_key is None else api_key,
            "base_url": base_url,
            "temperature": temperature,
            "max_tokens": max_completion_tokens,
            "top_p": top_p,
            "seed": seed,
            "stop": stop,
            "default_headers": default_headers,
        }
        known = set(type(self).model_fields)
        refuse_unknown(kwargs, known | {*given, "nvidia_api_key", "max_completion_tokens"})
        values = {key: value for key, value in given.items() if value is not None}
        # ChatNVIDIA's own __init__ builds two HTTP clients and may ask the network for its model
        # list; the fields and rules are inherited, the clients are not
        BaseChatModel.__init__(self, **{**values, **kwargs})

    @model_validator(mode="before")
    @classmethod
    def build_extra(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the values as they are; the parent would move unknown ones into the request."""
        return values

    @model_validator(mode="after")
    def _resolve(self) -> ChatKimi:
        as_timeout(self.timeout)
        _, base_url = resolve_endpoint(self.endpoint, self.base_url)
        if base_url != self.base_url:
            self.base_url = base_url
        self._add_version("langchain-kimi-nvidia", __version__)
        return self

    def _resolve_model_profile(self) -> ModelProfile:
        profile = self.facts.profile()
        row, _ = resolve_endpoint(self.endpoint, self.base_url)
        limit = row.max_output_tokens or profile["max_output_tokens"]
        return {**profile, "max_output_tokens": min(limit, profile["max_output_tokens"])}

    # --- what it is -------------------------------------------------------------------------

    @property
    def facts(self) -> ModelFacts:
        """What is true of the model wherever it is served."""
        return facts_of(self.model)

    @property
    def _llm_type(self) -> str:
        return "chat-kimi"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "base_url": self.base_url,
            "endpoint": self._row.name,
            "thinking": self.thinking,
            "preserve_thinking": self.preserve_thinking,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "seed": self.seed,
            "stop": self.stop,
            "extra_body": {**self.model_kwargs, **self.extra_body},
            "output_version": self.output_version,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params: LangSmithParams = {
            "ls_provider": PROVIDER,
            "ls_model_type": "chat",
            "ls_model_name": kwargs.get("model") or self.model,
        }
        temperature = kwargs.get("temperature", self.temperature)
        if temperature is not None:
            params["ls_temperature"] = temperature
        budget = kwargs.get("max_completion_tokens") or kwargs.get("max_tokens") or self.max_tokens
        if budget:
            params["ls_max_tokens"] = budget
        if asked := stops(stop or self.stop):
            params["ls_stop"] = asked
        return params

    @property
    def available_models(self) -> list[Model]:
        """The chat models that the endpoint lists; a listed model may be retired all the same."""
        return ChatNVIDIA.get_available_models(
            model=self.model,
            base_url=self.base_url,
            api_key=self._key() or None,
            verify_ssl=self.verify_ssl,
            usage_telemetry_enabled=bool(self.usage_telemetry_enabled),
        )

    # --- serialisation: no secret leaves ----------------------------------------------------

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether `langchain_core.load.dumps` writes a constructor: yes, without secrets."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Where `loads` finds the key again."""
        return {"api_key": self._row.api_key_env}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` cannot write by itself: headers without secrets, and the timeout."""
        attributes: dict[str, Any] = {}
        if headers := open_headers(self.default_headers):
            attributes["default_headers"] = headers
        if isinstance(self.timeout, Timeout):
            attributes["timeout"] = asdict(self.timeout)
        return attributes

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the key, secret headers and sockets out of pickles.

        The key is read again from the environment where the pickle is loaded.
        """
        state = super().__getstate__()
        state["__dict__"] = {
            **state["__dict__"],
            "api_key": None,
            "default_headers": open_headers(self.default_headers),
        }
        state["__pydantic_private__"] = {
            **(state["__pydantic_private__"] or {}),
            "_link": None,
        }
        return state

    # --- requests ---------------------------------------------------------------------------

    @property
    def _row(self) -> Endpoint:
        """The row of the server that is asked, also in a copy that is sent elsewhere."""
        return row_of(self.endpoint, self.base_url or "")

    def _key(self) -> str:
        if self.api_key is not None:
            return self.api_key.get_secret_value()
        return os.environ.get(self._row.api_key_env, "")

    @property
    def transport(self) -> Transport:
        """The pools and sockets, made on first use and shared by copies and bindings.

        A copy with another address, key or setting of the connection gets its own.
        """
        settings = (
            self.base_url,
            self.endpoint,
            self.api_key,
            self.timeout,
            self.max_retries,
            self.verify_ssl,
            self._told_elsewhere(),
        )
        link = self._link
        if link is not None and link.settings == settings:
            return link.transport
        with _lock:
            link = self._link
            if link is None or link.settings != settings:
                link = self._link = _Link(self._connect(), settings)
            return link.transport

    def _told_elsewhere(self) -> int | None:
        """Fingerprint the settings that change without notice: the environment and the headers."""
        if self.api_key is not None and not self.default_headers:
            return None
        return hash((self._key(), *self.default_headers.items()))

    def _connect(self) -> Transport:
        key = self._key()
        _, base_url = resolve_endpoint(self.endpoint, self.base_url)
        if not key and base_url == self._row.default_base_url:
            msg = (
                f"there is no API key for {base_url}: set {self._row.api_key_env} or pass "
                "api_key=; a vLLM or NIM of your own (base_url=) needs none, and "
                "langchain_kimi.testing.KimiServer stands in without any"
            )
            raise KimiAuthenticationError(msg, endpoint=self._row.name)
        return Transport(
            base_url=base_url,
            api_key=SecretStr(key) if key else None,
            endpoint=self._row.name,
            headers=self.default_headers,
            timeout=as_timeout(self.timeout),
            max_retries=self.max_retries,
            verify_ssl=self.verify_ssl,
            polls_202=self._row.polls_202,
        )

    def _delivered(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        from langchain_kimi.delivery.conversation import deliver  # noqa: PLC0415  text needs none of it

        return deliver(messages, self._row, self._media_route())

    async def _adelivered(self, messages: list[BaseMessage]) -> list[BaseMessage]:
        from langchain_kimi.delivery.conversation import adeliver  # noqa: PLC0415

        return await adeliver(messages, self._row, self._media_route())

    def _media_route(self) -> Route:
        from langchain_kimi.delivery.conversation import Route  # noqa: PLC0415

        return Route(
            base_url=self.base_url or "", uploads=self._uploads, connect=lambda: self.transport
        )

    def _request(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None,
        *,
        stream: bool,
        kwargs: dict[str, Any],
    ) -> Request:
        if kwargs:
            refuse_unknown(kwargs, _CALL_OPTIONS)
            switch(kwargs, "stream", None)  # langchain-core's own: it decides which hook is called
        model = words(kwargs, "model", self.model)
        usage = switch(kwargs, "stream_usage", self.stream_usage)
        budget = positive(kwargs, "max_completion_tokens") or positive(kwargs, "max_tokens")
        return build_request(
            messages,
            Options(
                model=model,
                facts=facts_of(model),
                endpoint=self._row,
                thinking=switch(kwargs, "thinking", self.thinking),
                preserve_thinking=switch(kwargs, "preserve_thinking", self.preserve_thinking),
                temperature=number(kwargs, "temperature", self.temperature),
                top_p=number(kwargs, "top_p", self.top_p),
                max_tokens=budget or self.max_tokens,
                seed=whole(kwargs, "seed", self.seed),
                stop=stops(self.stop if stop is None else stop),
                tools=wire_tools(kwargs.get("tools")),
                tool_choice=kwargs.get("tool_choice"),
                parallel_tool_calls=switch(kwargs, "parallel_tool_calls", None),
                response_format=kwargs.get("response_format"),
                stream=stream,
                stream_options=self.stream_options if usage else None,
                extra_body=laid_over(
                    self.model_kwargs, self.extra_body, fields(kwargs, "extra_body")
                ),
            ),
        )

    def _smaller(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None,
        error: KimiError,
        *,
        stream: bool,
        kwargs: dict[str, Any],
    ) -> Request:
        """Return the request with its older media told instead of shown, or raise the refusal."""
        from langchain_kimi.content.stubs import stub_media  # noqa: PLC0415

        fewer = stub_media(messages)
        if all(map(operator.is_, fewer, messages)):
            raise error
        logger.warning("the request was too large; its older media are sent as text stubs")
        return self._request(fewer, stop, stream=stream, kwargs=kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if _may_hold_media(messages):
            messages = self._delivered(messages)
        request = self._request(messages, stop, stream=False, kwargs=kwargs)
        try:
            reply = self.transport.post(ROUTE, request.body, headers=request.headers)
        except _TOO_LARGE as error:
            request = self._smaller(messages, stop, error, stream=False, kwargs=kwargs)
            reply = self.transport.post(ROUTE, request.body, headers=request.headers)
        return self._result(reply.data, reply.request_id, request)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if _may_hold_media(messages):
            messages = await self._adelivered(messages)
        request = self._request(messages, stop, stream=False, kwargs=kwargs)
        try:
            reply = await self.transport.apost(ROUTE, request.body, headers=request.headers)
        except _TOO_LARGE as error:
            request = self._smaller(messages, stop, error, stream=False, kwargs=kwargs)
            reply = await self.transport.apost(ROUTE, request.body, headers=request.headers)
        return self._result(reply.data, reply.request_id, request)

    def _result(
        self, data: Mapping[str, Any], request_id: str | None, request: Request
    ) -> ChatResult:
        try:
            message, stray = read_reply(
                data, request, self._row, may_be_empty="stop" in request.body
            )
        except KimiError as error:
            error.request_id = error.request_id or request_id
            raise
        self._learn(stray)
        if request_id:
            message.response_metadata["request_id"] = request_id
        if self.output_version == "v1":
            message = blocks.whole_v1(message)
        # constructed: validating it would validate the message's generation a second time
        return ChatResult.model_construct(generations=[ChatGeneration(message=message)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        if _may_hold_media(messages):
            messages = self._delivered(messages)
        request = self._request(messages, stop, stream=True, kwargs=kwargs)
        begun = False
        try:
            for chunk in self._chunks(request, run_manager):
                begun = True
                yield chunk
        except _TOO_LARGE as error:
            if begun:
                raise
            request = self._smaller(messages, stop, error, stream=True, kwargs=kwargs)
            yield from self._chunks(request, run_manager)

    def _chunks(
        self, request: Request, run_manager: CallbackManagerForLLMRun | None
    ) -> Iterator[ChatGenerationChunk]:
        reader = self._reader(request)
        events = self.transport.stream(
            ROUTE, request.body, headers=request.headers, is_output=carries_output
        )
        with events, reader.errors(events):
            for event in events:
                delta = reader.assembler.feed(event)
                if delta:
                    chunk = reader.chunk(delta)
                    if run_manager:
                        run_manager.on_llm_new_token(delta.text, chunk=chunk)
                    yield chunk
            for chunk in reader.end(done=events.done, request_id=events.request_id):
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk
        self._learn(reader.assembler.stray_think_end)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        if _may_hold_media(messages):
            messages = await self._adelivered(messages)
        request = self._request(messages, stop, stream=True, kwargs=kwargs)
        begun = False
        try:
            async for chunk in self._achunks(request, run_manager):
                begun = True
                yield chunk
        except _TOO_LARGE as error:
            if begun:
                raise
            request = self._smaller(messages, stop, error, stream=True, kwargs=kwargs)
            async for chunk in self._achunks(request, run_manager):
                yield chunk

    async def _achunks(
        self, request: Request, run_manager: AsyncCallbackManagerForLLMRun | None
    ) -> AsyncIterator[ChatGenerationChunk]:
        reader = self._reader(request)
        events = self.transport.astream(
            ROUTE, request.body, headers=request.headers, is_output=carries_output
        )
        async with events:
            with reader.errors(events):
                async for event in events:
                    delta = reader.assembler.feed(event)
                    if delta:
                        chunk = reader.chunk(delta)
                        if run_manager:
                            await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                        yield chunk
                for chunk in reader.end(done=events.done, request_id=events.request_id):
                    if run_manager:
                        await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        self._learn(reader.assembler.stray_think_end)

    def _reader(self, request: Request) -> StreamReader:
        return StreamReader(
            request,
            self._row,
            v1=self.output_version == "v1",
            await_think_end=self._unparsed_thinking and request.thinking,
        )

    def _learn(self, stray_think_end: bool) -> None:
        """Remember that the server has no reasoning parser: streams then wait for `</think>`."""
        if stray_think_end and self._row.unparsed_thinking and not self._unparsed_thinking:
            self._unparsed_thinking = True
            logger.warning(
                "the server at %s sends thoughts as content; start it with a reasoning parser "
                "(vLLM, SGLang: --reasoning-parser kimi_k2). Until then its streams are held "
                "back up to </think>",
                self.base_url,
            )

    # --- bindings ---------------------------------------------------------------------------

    def bind(self, **kwargs: Any) -> KimiBinding:  # type: ignore[override]
        """Bind call options; they survive a later `bind_tools` or `with_structured_output`."""
        return KimiBinding(bound=self, kwargs=kwargs, config={})

    def configurable_fields(self, **kwargs: AnyConfigurableField) -> KimiBinding:
        """Let a run's config set fields, `thinking` for example, also below later bindings."""
        return self.bind().configurable_fields(**kwargs)

    def configurable_alternatives(
        self,
        which: ConfigurableField,
        *,
        default_key: str = "default",
        prefix_keys: bool = False,
        **kwargs: Runnable[Any, Any] | Callable[[], Runnable[Any, Any]],
    ) -> KimiBinding:
        """Let a run's config choose another model, also below later bindings."""
        return self.bind().configurable_alternatives(
            which, default_key=default_key, prefix_keys=prefix_keys, **kwargs
        )

    def with_thinking_mode(self, enabled: bool) -> KimiBinding:  # type: ignore[override]
        """Bind `thinking`, under ChatNVIDIA's name for it."""
        return self.bind(thinking=enabled)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> KimiBinding:
        """Bind tools.

        Args:
            tools: Functions, pydantic models, TypedDicts, `BaseTool`s or OpenAI dicts. Their
                schemas are written in the dialect that Kimi takes and accept what they did.
            tool_choice: `auto`, `none`, `any`, `required`, True, a tool's name, or OpenAI's
                object. A forced call is made without thinking, as Kimi cannot be forced while it
                thinks; a model that always thinks is asked with `auto` and its reply is checked.
            parallel_tool_calls: Sent only when given: NVIDIA has refused it.
            strict: Taken for the sake of callers that pass it, and not sent: no Kimi endpoint
                is known to enforce it on tools.
            **kwargs: Further call options.

        Raises:
            KimiInvalidInputError: A tool is none that Kimi takes.
        """
        options = {
            "tools": to_kimi_tools(tools),
            "tool_choice": tool_choice,
            "parallel_tool_calls": parallel_tool_calls,
        }
        bound = {key: value for key, value in options.items() if value is not None}
        return self.bind(**bound, **kwargs)

    def with_structured_output(
        self,
        schema: Any = None,
        *,
        method: StructuredMethod | None = None,
        include_raw: bool = False,
        strict: bool | None = None,
        repair: bool = True,
        tools: Sequence[Any] | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer in a schema; see `langchain_kimi.structured_output.structured_output`."""
        from langchain_kimi.structured_output import structured_output  # noqa: PLC0415

        return structured_output(
            self.bind(),
            schema,
            method=method,
            include_raw=include_raw,
            strict=strict,
            repair=repair,
            tools=tools,
            **kwargs,
        )

    # --- tokens -----------------------------------------------------------------------------

    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
        **kwargs: Any,
    ) -> int:
        """Count the tokens of a prompt.

        vLLM (`/tokenize`) and Moonshot (`/tokenizers/estimate-token-count`) are asked and count
        with the model's own tokenizer. Elsewhere, or where the route does not answer, the count
        is an estimate; `langchain_kimi.content.tokens` says how good it is. The route is asked
        once, for 10 seconds at most; a server that has none, or is silent, is not asked again.
        """
        if tools is not None:
            kwargs["tools"] = list(tools)
        from langchain_kimi.delivery.conversation import deliver  # noqa: PLC0415

        # only Moonshot needs the ids to count; elsewhere the bytes tell more
        route = self._media_route() if self._row.uploads == "files" else None
        given = deliver(list(messages), self._row, route)
        body = self._request(given, None, stream=False, kwargs=kwargs).body
        try:
            counted = self._count_tokens(body)
        except KimiError as error:
            logger.info("the tokenizer route did not answer (%s); estimating", type(error).__name__)
            self._has_no_tokenizer = isinstance(error, KimiNotFoundError | KimiTimeoutError)
            counted = None
        return estimate_request(body) if counted is None else counted

    def _count_tokens(self, body: dict[str, Any]) -> int | None:
        if self._row.tokenizer_route is None or self._has_no_tokenizer:
            return None
        asked: dict[str, Any] = {
            key: body[key] for key in ("model", "messages", "tools") if key in body
        }
        with self.transport.within(_COUNT_TIMEOUT) as transport:
            if self._row.tokenizer_route == "tokenize":
                asked["chat_template_kwargs"] = body["chat_template_kwargs"]
                count = transport.post("/../tokenize", asked).data.get("count")
            else:
                data = transport.post("/tokenizers/estimate-token-count", asked).data.get("data")
                count = data.get("total_tokens") if isinstance(data, dict) else None
        return count if isinstance(count, int) else None

    def get_num_tokens(self, text: str) -> int:
        """Estimate the tokens of a text alone, without the frame of a message.

        No tokenizer is shipped; `custom_get_token_ids` is used where it is set.
        """
        from langchain_kimi.content.tokens import estimate_tokens  # noqa: PLC0415

        if self.custom_get_token_ids is not None:
            return len(self.custom_get_token_ids(text))
        return estimate_tokens(text)

    # --- lifetime ---------------------------------------------------------------------------

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        if self._link is not None:
            self._link.transport.close()

    async def aclose(self) -> None:
        """Close all connections; the next call opens new ones."""
        if self._link is not None:
            await self._link.transport.aclose()


# langchain-core asks for the signature of these on every call; a stored one saves a tenth of it
for _hook in (ChatKimi._generate, ChatKimi._agenerate):  # noqa: SLF001
    _hook.__signature__ = inspect.signature(_hook)  # type: ignore[union-attr]


def _may_hold_media(messages: list[BaseMessage]) -> bool:
    """Whether a step for media is worth its cost: text alone is the rule, and the hot path."""
    return any(not isinstance(message.content, str) for message in messages)
