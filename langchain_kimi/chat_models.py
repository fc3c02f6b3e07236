"""`ChatKimi`: fields, environment and hooks. The dialect is in `wire/`, sockets in `transport/`."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool
from langchain_nvidia_ai_endpoints import ChatNVIDIA, Model
from pydantic import ConfigDict, Field, PrivateAttr, SecretStr, field_validator, model_validator

from langchain_kimi import identity
from langchain_kimi._version import __version__
from langchain_kimi.binding import Bindable
from langchain_kimi.call import Call
from langchain_kimi.counting import count_tokens, estimate_slice, is_sendable
from langchain_kimi.endpoints import (
    ENDPOINTS,
    Endpoint,
    EndpointName,
    resolve_endpoint,
    row_of,
)
from langchain_kimi.links import Links, key_of
from langchain_kimi.models import ModelFacts, facts_of
from langchain_kimi.options import MOST_TOKENS, as_timeout, refuse_unknown
from langchain_kimi.transport import Timeout, Transport
from langchain_kimi.transport.server import Headers
from langchain_kimi.wire import blocks

if TYPE_CHECKING:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LangSmithParams
    from langchain_core.language_models.model_profile import ModelProfile

__all__ = ["DEFAULT_MODEL", "ChatKimi"]

DEFAULT_MODEL = "moonshotai/kimi-k2.6"

blocks.register()


class ChatKimi(Bindable, ChatNVIDIA):
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

    _links: Links = PrivateAttr(default_factory=Links)

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
            KimiInvalidInputError: An argument is unknown; the message names the nearest known one.
            pydantic.ValidationError: A value has the wrong type or range, or endpoint and base URL
                do not go together.
        """
        base_url = base_url or kwargs.pop("nvidia_base_url", None)
        # an empty key is the caller's word that none is to be sent
        key = _sealed(nvidia_api_key if api_key is None else api_key)
        headers = None if default_headers is None else Headers(default_headers)
        del api_key, nvidia_api_key, default_headers  # tracebacks may show what stands in a frame
        given = {
            "model": model,
            "api_key": key,
            "base_url": base_url,
            "temperature": temperature,
            "max_tokens": max_completion_tokens,
            "top_p": top_p,
            "seed": seed,
            "stop": stop,
            "default_headers": headers,
        }
        known = set(type(self).model_fields)
        refuse_unknown(kwargs, known | {*given, "nvidia_api_key", "max_completion_tokens"})
        values = {key: value for key, value in given.items() if value is not None}
        endpoint = kwargs.get("endpoint", "auto")
        if endpoint in ("auto", *ENDPOINTS) and isinstance(base_url, str | None):
            resolve_endpoint(endpoint, base_url)  # raised below, pydantic would hide its error
        # ChatNVIDIA's own __init__ builds two HTTP clients and may ask the network for its model
        # list; the fields and rules are inherited, the clients are not
        BaseChatModel.__init__(self, **{**values, **kwargs})

    @model_validator(mode="before")
    @classmethod
    def build_extra(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Take the values as they are; the parent would move unknown ones into the request."""
        return values

    @field_validator("default_headers", mode="before")
    @classmethod
    def _opened(cls, headers: Any) -> Any:
        return headers.get_secret_value() if isinstance(headers, Headers) else headers

    @model_validator(mode="after")
    def _resolve(self) -> ChatKimi:
        as_timeout(self.timeout)
        _, base_url = resolve_endpoint(self.endpoint, self.base_url)
        if base_url != self.base_url:
            self.base_url = base_url
        self._add_version("langchain-kimi-nvidia", __version__)
        return self

    def _resolve_model_profile(self) -> ModelProfile:
        return identity.profile(self)

    # --- what it is -------------------------------------------------------------------------

    @property
    def facts(self) -> ModelFacts:
        """What is true of the model wherever it is served."""
        return facts_of(self.model)

    @property
    def quirks(self) -> Endpoint:
        """What is true of the server that is asked, also in a copy that is sent elsewhere."""
        return row_of(self.endpoint, self.base_url or "")

    def changed(self, fields: dict[str, Any]) -> ChatKimi:
        """Return a copy with other values of fields, which are taken as they are."""
        copy = self.model_copy(update=fields)
        if self.profile == identity.profile(self):
            copy.profile = identity.profile(copy)
        return copy

    @property
    def _llm_type(self) -> str:
        return "chat-kimi"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return identity.identifying_params(self)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return identity.tracing_params(self, stop, kwargs)

    @property
    def available_models(self) -> list[Model]:
        """The chat models that the endpoint lists; a listed model may be retired all the same."""
        return ChatNVIDIA.get_available_models(
            model=self.model,
            base_url=self.base_url,
            api_key=key_of(self).get_secret_value() or None,
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
        return {"api_key": self.quirks.api_key_env}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What `dumps` cannot write by itself: headers without secrets, and the timeout."""
        return identity.attributes(self)

    def __getstate__(self) -> dict[Any, Any]:
        """Leave the key, secret headers and sockets out of pickles.

        The key is read again from the environment where the pickle is loaded.
        """
        return identity.without_secrets(super().__getstate__())

    # --- calls ------------------------------------------------------------------------------

    @property
    def transport(self) -> Transport:
        """The pools and sockets, made on first use and shared by copies and bindings.

        A copy with another address, key or setting of the connection gets its own.
        """
        return self._links.to(self).transport

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return Call(self, self._links, messages, stop, kwargs).answer()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await Call(self, self._links, messages, stop, kwargs).aanswer()

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        return Call(self, self._links, messages, stop, kwargs).chunks(run_manager)

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: Sequence[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        return Call(self, self._links, messages, stop, kwargs).achunks(run_manager)

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
        once, for 10 seconds at most; a server that has none, or is silent, is not asked again. A
        slice of a conversation that no server takes, such as tool results alone, is estimated.
        """
        if tools is not None:
            kwargs["tools"] = list(tools)
        from langchain_kimi.delivery.conversation import deliver  # noqa: PLC0415

        if not is_sendable(messages):
            return estimate_slice(messages, tools or ())
        call = Call(self, self._links, messages, None, kwargs)
        # only Moonshot needs the ids to count; elsewhere the bytes tell more
        route = call.route() if self.quirks.uploads == "files" else None
        call.messages = deliver(list(messages), self.quirks, route)
        body = call.request(stream=False).body
        return count_tokens(body, self.quirks, lambda: self._links.to(self))

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
        self._links.close()

    async def aclose(self) -> None:
        """Close all connections; the next call opens new ones."""
        await self._links.aclose()


def _sealed(key: str | SecretStr | None) -> Any:
    return SecretStr(key) if isinstance(key, str) else key


# langchain-core asks for the signature of these on every call; a stored one saves a tenth of it
for _hook in (ChatKimi._generate, ChatKimi._agenerate):  # noqa: SLF001
    _hook.__signature__ = inspect.signature(_hook)  # type: ignore[union-attr]
