"""What a type checker knows of ChatKimi: read by mypy, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import ConfigurableField, Runnable
from langchain_nvidia_ai_endpoints import ChatNVIDIA
from pydantic import BaseModel, SecretStr

from langchain_kimi import ChatKimi, KimiError, Timeout, __version__
from langchain_kimi.binding import KimiBinding
from langchain_kimi.errors import KimiContextOverflowError, KimiUnsupportedParameterError
from langchain_kimi.models import ModelFacts
from langchain_kimi.transport import Transport


class City(BaseModel):
    """A city."""

    name: str


def look(city: str) -> str:
    """Look at a city."""
    return city


llm = ChatKimi(
    model="moonshotai/kimi-k2.6",
    api_key=SecretStr("nvapi-..."),
    base_url="http://localhost:8000/v1",
    endpoint="vllm",
    thinking=True,
    preserve_thinking=False,
    temperature=1.0,
    max_completion_tokens=32_768,
    stop=["END"],
    timeout=Timeout(idle=60),
    extra_body={"top_k": 20},
    default_headers={"X-Org": "blue"},
)
parent: ChatNVIDIA = llm
chat_model: BaseChatModel = llm
runnable: Runnable[LanguageModelInput, AIMessage] = llm

assert_type(__version__, str)
assert_type(llm.model, str)
assert_type(llm.api_key, SecretStr | None)
assert_type(llm.thinking, bool)
assert_type(llm.timeout, float | Timeout | None)
assert_type(llm.facts, ModelFacts)
assert_type(llm.transport, Transport)
assert_type(llm.close(), None)

assert_type(llm.invoke("Hi"), AIMessage)
assert_type(llm.invoke([("human", "Hi")], thinking=False), AIMessage)
assert_type(llm.stream("Hi"), Iterator[AIMessageChunk])
assert_type(llm.astream("Hi"), AsyncIterator[AIMessageChunk])
assert_type(llm.batch(["Hi"]), list[AIMessage])
assert_type(llm.get_num_tokens_from_messages([]), int)

assert_type(llm.bind(thinking=False), KimiBinding)
assert_type(llm.bind_tools([look], tool_choice="any"), KimiBinding)
assert_type(llm.with_thinking_mode(enabled=False), KimiBinding)
assert_type(llm.configurable_fields(thinking=ConfigurableField(id="thinking")), KimiBinding)
assert_type(llm.bind(thinking=False).chat_model, ChatKimi)
assert_type(llm.bind_tools([look]).invoke("Hi"), AIMessage)
bound: Runnable[LanguageModelInput, AIMessage] = llm.bind(seed=1).bind_tools([look])

structured = llm.with_structured_output(City, method="json_schema", include_raw=True)
assert_type(structured, Runnable[LanguageModelInput, Any])


async def ask() -> str:
    """Ask on an event loop."""
    assert_type(await llm.ainvoke("Hi"), AIMessage)
    assert_type(await llm.aclose(), None)
    async for chunk in llm.astream("Hi"):
        assert_type(chunk, AIMessageChunk)
    return "done"


def failures() -> None:
    """Catch errors from the narrow to the wide."""
    try:
        llm.invoke("Hi")
    except KimiUnsupportedParameterError as error:
        assert_type(error.parameters, tuple[str, ...])
    except KimiContextOverflowError as error:
        assert_type(error.status, int | None)
    except KimiError as error:
        assert_type(error.retry_after, float | None)
        assert_type(error.partial, AIMessage | None)


# --- what must not pass -------------------------------------------------------------------------

ChatKimi("moonshotai/kimi-k2.6")  # type: ignore[call-arg]
ChatKimi(model=7)  # type: ignore[arg-type]
ChatKimi(stop=7)  # type: ignore[arg-type]
Timeout(60)  # type: ignore[call-arg]
llm.with_structured_output(City, method="xml")  # type: ignore[arg-type]
llm.bind_tools([look], tool_choice=7)  # type: ignore[arg-type]
