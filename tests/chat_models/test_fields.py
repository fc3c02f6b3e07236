"""Fields, environment and call options: what is taken, what is refused, what is sent."""

from __future__ import annotations

import copy
import logging
import pickle
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_nvidia_ai_endpoints import ChatNVIDIA
from pydantic import SecretStr, ValidationError

from langchain_kimi import ChatKimi, Timeout, counting
from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.models import MODELS
from langchain_kimi.testing import KimiServer as Server
from langchain_kimi.testing import say

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

    from .calling import Ask

LOCAL = "http://127.0.0.1:9/v1"


# --- construction -----------------------------------------------------------------------------


def test_it_is_a_chat_nvidia() -> None:
    llm = ChatKimi()

    assert isinstance(llm, ChatNVIDIA)
    assert llm.model == "moonshotai/kimi-k2.6"
    assert llm.base_url == "https://integrate.api.nvidia.com/v1"


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"temprature": 1}, "'temperature'"),
        ({"max_completion_token": 1}, "'max_completion_tokens'"),
        ({"preserve_think": True}, "'preserve_thinking'"),
        ({"enable_thinking": False}, "thinking"),
        ({"zzz": 1}, "known are"),
    ],
)
def test_unknown_arguments_are_named_with_the_nearest(given: dict[str, Any], nearest: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=nearest):
        ChatKimi(**given)
    with pytest.raises(KimiInvalidInputError, match=nearest):
        ChatKimi(base_url=LOCAL).invoke("Hi", **given)
    with pytest.raises(KimiInvalidInputError, match=nearest):
        ChatKimi(base_url=LOCAL).bind(**given).invoke("Hi")


@pytest.mark.parametrize(
    "given",
    [
        {"temperature": "hot"},
        {"max_completion_tokens": 0},
        {"max_completion_tokens": -1},
        {"max_retries": -1},
        {"thinking": {"type": "disabled"}},
        {"endpoint": "openai"},
        {"timeout": "soon"},
        {"timeout": 0},
        {"timeout": float("nan")},
        {"timeout": 2**40},
        {"stop": 7},
        {"base_url": 7},
        {"endpoint": ["vllm"]},
        {"endpoint": "morse"},
    ],
)
def test_values_of_the_wrong_kind_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ChatKimi(**{"base_url": LOCAL, **given})


@pytest.mark.parametrize("budget", [0, -5, 1.5, "many", True, 2**40])
@pytest.mark.parametrize("name", ["max_completion_tokens", "max_tokens"])
def test_a_budget_of_a_call_is_a_count(name: str, budget: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match=f"{name}=.*from 1 to 2,147,483,646"):
        ChatKimi(base_url=LOCAL).invoke("Hi", **{name: budget})


NO_FUNCTION: dict[str, Any] = {"type": "function", "function": {"parameters": {}}}


@pytest.mark.parametrize(
    "given",
    [
        {"tools": 5},
        {"tools": "search"},
        {"tools": {"name": "search"}},
        {"tools": [5]},
        {"tools": [NO_FUNCTION]},
        {"tools": [{"type": "function", "function": None}]},
        {"tools": [{"type": "function", "function": {"name": 5}}]},
        {"tools": [{"type": "function", "function": {"name": " "}}]},
        {"response_format": {"type": "json_object", "schema": object()}},
        {"response_format": {"type": "json_object", "schema": {"default": object()}}},
        {"response_format": {"type": "json_object", "schema": 3}},
        {"response_format": {"type": "json_schema", "json_schema": {"name": 3, "schema": {}}}},
        {"response_format": {"type": "json_schema", "json_schema": {"strict": 1, "schema": {}}}},
        {"stream": "yes"},
        {"extra_body": {"n": 2}},
        {"stop": [""]},
        {"seed": 2**63},
    ],
    ids=lambda given: re.sub(" at 0x[0-9a-f]+", "", repr(given)),  # the same in each process
)
async def test_values_of_a_call_are_refused_by_name(given: dict[str, Any], ask: Ask) -> None:
    (name,) = given
    told = {"tools": "tool", "response_format": "response_format|json_schema"}.get(name, name)
    with pytest.raises(KimiInvalidInputError, match=told):
        await ask(ChatKimi(base_url=LOCAL, max_retries=0), "Hi", **given)


@pytest.mark.parametrize("tools", [None, 5, "search", [5], [NO_FUNCTION]], ids=repr)
def test_what_is_no_tool_is_refused_when_it_is_bound(tools: Any) -> None:
    with pytest.raises(KimiInvalidInputError, match="tool"):
        ChatKimi(base_url=LOCAL).bind_tools(tools)


def test_tools_of_a_call_are_translated_as_bound_ones_are(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    place = {"type": "object", "properties": {"city": {"$ref": "#/$defs/C"}}}
    schema = {**place, "$defs": {"C": {"description": "A city", "enum": ["Paris"]}}}
    raw = {"type": "function", "function": {"name": "weather", "parameters": schema}}
    vllm.script(*[say("Yes.")] * 3)
    llm = connect(vllm)

    llm.invoke("Hi", tools=[raw])
    llm.bind_tools([raw]).invoke("Hi")
    llm.bind(tools=llm.bind_tools([raw]).kwargs["tools"]).invoke("Hi")

    sent = [body["tools"] for body in vllm.requests]
    assert sent[0] == sent[1] == sent[2]
    city = sent[0][0]["function"]["parameters"]["properties"]["city"]
    assert city == {"type": "string", "description": "A city", "enum": ["Paris"]}
    assert "$defs" in raw["function"]["parameters"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"base_url": "ftp://host"}, "http"),
        ({"base_url": "host:8000"}, "http"),
        ({"base_url": "http://host:99999/v1"}, "http"),
        ({"base_url": "http://host:abc/v1"}, "http"),
        ({"base_url": "http://a..b/v1"}, "http"),
        ({"base_url": f"http://{64 * 'a'}/v1"}, "http"),
        ({"base_url": "http://a b/v1"}, "http"),
        ({"base_url": "http://key@host/v1"}, "credentials"),
        ({"base_url": "http://host/v1?key=1"}, "credentials"),
        ({"base_url": "http://host/v1/chat/completions"}, "a route"),
        ({"endpoint": "vllm"}, "pass base_url"),
        ({"endpoint": "sglang"}, "pass base_url"),
        ({"base_url": "http://[::1"}, "http"),
        ({"endpoint": "vllm", "base_url": "https://api.moonshot.ai/v1"}, "would send the key"),
    ],
)
def test_addresses_that_cannot_be_used(given: dict[str, Any], said: str) -> None:
    with pytest.raises(KimiInvalidInputError, match=said) as caught:
        ChatKimi(**given)
    assert "key@" not in str(caught.value)
    assert "key=1" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "row"),
    [
        ("https://integrate.api.nvidia.com", "nvidia"),
        ("https://ai.api.nvidia.com/v1", "nvidia"),
        ("https://api.moonshot.ai/v1", "moonshot"),
        ("https://api.moonshot.cn", "moonshot"),
        ("http://localhost:8000", "vllm"),
        ("https://proxy.example/nim/v1/", "vllm"),
        ("https://integrate.api.nvidia.com.evil.example/v1", "vllm"),
    ],
)
def test_the_endpoint_is_told_from_the_address(url: str, row: str) -> None:
    llm = ChatKimi(base_url=url)

    assert llm._identifying_params["endpoint"] == row
    assert str(llm.base_url).endswith("/v1")


def test_both_names_of_key_and_address() -> None:
    llm = ChatKimi(nvidia_api_key="nvapi-1", nvidia_base_url=LOCAL)

    assert llm.api_key == SecretStr("nvapi-1")
    assert llm.base_url == LOCAL


def test_max_tokens_is_max_completion_tokens() -> None:
    assert ChatKimi(max_tokens=5).max_tokens == ChatKimi(max_completion_tokens=5).max_tokens == 5


# --- environment ------------------------------------------------------------------------------


def test_each_endpoint_reads_its_own_key(
    servers: Callable[[str], KimiServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-of-the-environment")
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-of-the-environment")
    for dialect, key in (
        ("moonshot", "sk-of-the-environment"),
        ("nvidia", "nvapi-of-the-environment"),
        ("vllm", "nvapi-of-the-environment"),
    ):
        with Server(dialect, api_key=key) as server:  # type: ignore[arg-type]
            server.script(say("Yes."))
            llm = ChatKimi(base_url=server.base_url, endpoint=dialect, max_retries=0)
            assert llm.invoke("Hi").content == "Yes."
            llm.close()


def test_the_address_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_BASE_URL", LOCAL)

    assert ChatKimi().base_url == LOCAL
    assert ChatKimi(endpoint="vllm").base_url == LOCAL
    assert ChatKimi(endpoint="moonshot").base_url == "https://api.moonshot.ai/v1"
    assert ChatKimi(base_url="http://other:1").base_url == "http://other:1/v1"


def test_an_empty_key_sends_none(
    vllm: KimiServer, connect: Callable[..., ChatKimi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-of-the-environment")
    vllm.script(say("Yes."))

    connect(vllm, api_key="").invoke("Hi")

    assert "authorization" not in vllm.exchanges[-1].headers


# --- what is sent -----------------------------------------------------------------------------


async def test_fields_and_calls_shape_the_request(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    vllm.script(*[say("Yes.")] * 2)
    llm = connect(
        vllm,
        temperature=0.2,
        top_p=0.3,
        max_completion_tokens=50,
        seed=1,
        stop=["A"],
        extra_body={"top_k": 5, "chat_template_kwargs": {"effort": "low"}},
        default_headers={"X-Org": "blue"},
    )

    await ask(llm, "Hi")
    await ask(
        llm,
        "Hi",
        temperature=0.9,
        top_p=0.8,
        max_completion_tokens=60,
        seed=2,
        stop=["B"],
        model="moonshotai/Kimi-K2.5",
        extra_body={"min_p": 0.1, "chat_template_kwargs": {"more": 1}},
    )

    first, second = vllm.requests
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if ask.streams else {}
    common = {"messages": [{"role": "user", "content": "Hi"}], **streamed}
    assert first == {
        **common,
        "model": "moonshotai/kimi-k2.6",
        "temperature": 0.2,
        "top_p": 0.3,
        "max_tokens": 50,
        "seed": 1,
        "stop": ["A"],
        "top_k": 5,
        "chat_template_kwargs": {"thinking": True, "effort": "low"},
    }
    assert second == {
        **common,
        "model": "moonshotai/Kimi-K2.5",
        "temperature": 0.9,
        "top_p": 0.8,
        "max_tokens": 60,
        "seed": 2,
        "stop": ["B"],
        "top_k": 5,
        "min_p": 0.1,
        "chat_template_kwargs": {"thinking": True, "effort": "low", "more": 1},
    }
    assert vllm.exchanges[-1].headers["x-org"] == "blue"


async def test_usage_of_a_stream_is_asked_for_unless_it_is_not_wanted(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    vllm.script(*[say("Yes.")] * 2)

    list(connect(vllm, stream_usage=False).stream("Hi"))
    list(connect(vllm, stream_usage=False).stream("Hi", stream_usage=True))

    assert ["stream_options" in body for body in vllm.requests] == [False, True]


def test_invoke_may_go_by_the_stream(vllm: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    vllm.script(say("Yes."))

    message = connect(vllm, streaming=True).invoke("Hi")

    assert vllm.requests[0]["stream"] is True
    assert message.content == "Yes."
    assert message.response_metadata["finish_reason"] == "stop"


async def test_usage_and_metadata(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    server.script(say("Yes."))

    message = await ask(connect(server), "Hi")

    usage = message.usage_metadata
    assert usage is not None
    assert usage["input_tokens"] > 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    details = {"vllm": "reasoning", "sglang": "reasoning"}.get(server.dialect)
    assert ("output_token_details" in usage) == (details is not None)
    assert ("input_token_details" in usage) == (server.dialect == "moonshot")
    about = message.response_metadata
    model = "kimi-k2.6" if server.dialect == "moonshot" else "moonshotai/kimi-k2.6"
    assert about["model_name"] == model
    assert about["finish_reason"] == "stop"
    assert about["model_provider"] == "kimi"
    assert ("request_id" in about) == (server.dialect in {"nvidia", "moonshot"})


def test_a_rate_limiter_paces_calls(vllm: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    taken: list[bool] = []

    class Limiter(InMemoryRateLimiter):
        def acquire(self, *, blocking: bool = True) -> bool:
            taken.append(blocking)
            return True

    vllm.script(*[say("Yes.")] * 2)
    llm = connect(vllm, rate_limiter=Limiter())

    llm.invoke("Hi")
    list(llm.stream("Hi"))

    assert taken == [True, True]


# --- identity ---------------------------------------------------------------------------------

VARIANTS: dict[str, dict[str, Any]] = {
    "model": {"model": "moonshotai/Kimi-K2.5"},
    "temperature": {"temperature": 0.1},
    "top_p": {"top_p": 0.1},
    "seed": {"seed": 4},
    "stop": {"stop": ["x"]},
    "budget": {"max_completion_tokens": 77},
    "thinking": {"thinking": False},
    "preserve_thinking": {"preserve_thinking": True},
    "extra_body": {"extra_body": {"top_k": 1}},
    "endpoint": {"endpoint": "sglang"},
    "base_url": {"base_url": "http://127.0.0.1:1/v1"},
    "output_version": {"output_version": "v1"},
}


@pytest.mark.parametrize("way", VARIANTS)
def test_two_models_never_share_an_entry_of_the_cache(
    vllm: KimiServer, connect: Callable[..., ChatKimi], way: str
) -> None:
    cache = InMemoryCache()
    vllm.script(say("of the first"))
    first = connect(vllm, cache=cache)
    second = connect(vllm, cache=cache, max_retries=0, **VARIANTS[way])

    assert first.invoke("Hi").content == "of the first"
    assert first.invoke("Hi").content == "of the first"
    assert len(vllm.requests) == 1

    assert first._get_llm_string() != second._get_llm_string()
    assert first._identifying_params != second._identifying_params


@pytest.mark.parametrize(
    "options",
    [{"thinking": False}, {"temperature": 0.1}, {"tools": []}, {"stop": ["x"]}, {"seed": 2}],
)
def test_call_options_are_part_of_the_cache_key(
    vllm: KimiServer, connect: Callable[..., ChatKimi], options: dict[str, Any]
) -> None:
    vllm.script(say("plain"), say("with options"))
    llm = connect(vllm, cache=InMemoryCache())

    assert llm.invoke("Hi").content == "plain"
    assert llm.invoke("Hi", **options).content == "with options"
    assert llm.invoke("Hi").content == "plain"
    assert llm.bind(**options).invoke("Hi").content == "with options"


def test_the_cache_key_is_the_same_in_every_process_and_holds_no_key() -> None:
    one, other = (
        ChatKimi(base_url=LOCAL, api_key=key, timeout=Timeout(idle=5)) for key in ("a1b2", "c3d4")
    )

    assert one._get_llm_string() == other._get_llm_string()
    assert "a1b2" not in one._get_llm_string()
    assert "0x" not in one._get_llm_string()


@pytest.mark.parametrize("field", ["base_url", "api_key", "default_headers"])
def test_a_copy_that_goes_elsewhere_does_not_share_the_connection(
    servers: Callable[[str], KimiServer], connect: Callable[..., ChatKimi], field: str
) -> None:
    with Server("vllm", api_key="the-second-key") as second:
        first = servers("vllm")
        first.clear()
        first.script(say("of the first"))
        second.script(say("of the second"))
        llm = connect(first)
        llm.invoke("Hi")
        changes: dict[str, Any] = {
            "base_url": second.base_url,
            "api_key": SecretStr("the-second-key"),
            "default_headers": {"X-Tenant": "2"},
        }
        moved = llm.model_copy(update=changes)

        assert moved.invoke("Hi").content == "of the second"
        assert second.exchanges[-1].headers["x-tenant"] == "2"
        assert moved.transport is not llm.transport
        other = llm.model_copy(update={field: changes[field]})
        assert other.transport is not llm.transport
        assert llm.model_copy(update={"temperature": 0.1}).transport is llm.transport
        assert llm.bind(seed=1).chat_model.transport is llm.transport
        moved.close()


def test_copies_and_pickles_answer(vllm: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    llm = connect(vllm, thinking=False, timeout=Timeout(idle=7), seed=3)
    vllm.script(*[say("Yes.")] * 4)
    llm.invoke("Hi")

    for twin in (copy.copy(llm), copy.deepcopy(llm), pickle.loads(pickle.dumps(llm))):
        assert twin.invoke("Hi").content == "Yes."
        assert twin._identifying_params == llm._identifying_params
        assert twin.timeout == Timeout(idle=7)
        twin.close()


# --- facts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("model", [*MODELS, "my-kimi", "moonshotai/Kimi-K2-Thinking"])
def test_profiles(model: str, endpoint: Any) -> None:
    profile = ChatKimi(model=model, endpoint=endpoint, base_url=LOCAL).profile

    assert profile is not None
    assert profile["max_input_tokens"] == (1_048_576 if "k3" in model else 262_144)
    assert profile["reasoning_output"] is True
    assert profile["tool_calling"] is True
    assert profile["structured_output"] is True
    assert profile["image_inputs"] is ("hinking" not in model)
    limit = 65_536 if endpoint == "nvidia" else profile["max_input_tokens"]
    assert profile["max_output_tokens"] == limit


def test_the_models_of_an_endpoint(server: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    listed = {model.id for model in connect(server).available_models}

    assert set(server.settings.models) <= listed


def test_tracing_knows_the_model(vllm: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    params = connect(vllm, temperature=0.4, stop="END")._get_ls_params(max_completion_tokens=9)

    assert params["ls_model_name"] == "moonshotai/kimi-k2.6"
    assert params["ls_model_type"] == "chat"
    assert params["ls_temperature"] == 0.4
    assert params["ls_max_tokens"] == 9
    assert params["ls_stop"] == ["END"]


# --- tokens -----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_tools", [False, True])
def test_prompts_are_counted_where_the_server_can(
    server: KimiServer, connect: Callable[..., ChatKimi], with_tools: bool
) -> None:
    def look(city: str) -> str:
        """Look at a city."""
        return city

    llm = connect(server)
    messages = [HumanMessage("How many tokens is this sentence, roughly?")]
    tools = [look] if with_tools else None
    server.script(say("Some."))

    counted = llm.get_num_tokens_from_messages(messages, tools=tools)

    bound = llm.bind_tools(tools) if tools else llm
    usage = bound.invoke(messages).usage_metadata
    assert usage is not None
    if server.dialect in {"vllm", "moonshot"}:
        assert counted == usage["input_tokens"]
        assert len(server.exchanges) == 2
    else:
        assert 10 < counted < 120
        assert len(server.exchanges) == 1


def test_a_tokenizer_that_does_not_answer_is_estimated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "langchain_kimi")
    llm = ChatKimi(base_url=LOCAL, max_retries=0)

    assert 5 < llm.get_num_tokens_from_messages([HumanMessage("Count these words, please.")]) < 30

    assert "the tokenizer route did not answer (KimiConnectionError)" in caplog.text
    llm.close()


@pytest.mark.parametrize(
    "messages",
    [[], [AIMessage("")], [ToolMessage("word " * 500, tool_call_id="1")]],
    ids=["none", "empty", "result_alone"],
)
def test_a_slice_that_no_server_takes_is_counted(messages: list[Any]) -> None:
    count = ChatKimi(base_url=LOCAL).get_num_tokens_from_messages(messages)

    assert 500 < count < 600 if len(str(messages)) > 2000 else count < 10


@pytest.mark.parametrize("fault", ["missing", "silent"])
def test_a_server_without_a_tokenizer_is_asked_once(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "PATIENCE", Timeout(connect=1, response=0.2, idle=0.2))
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            if fault == "silent":
                released.wait(20)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    released = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        llm = ChatKimi(base_url=f"http://127.0.0.1:{server.server_port}/v1", max_retries=2)
        counts = [llm.get_num_tokens_from_messages([HumanMessage("Some words")]) for _ in "ab"]
        released.set()
        server.shutdown()

    assert counts[0] == counts[1] > 2
    assert len(asked) == 1
    llm.close()


def test_the_tokens_of_a_text_are_estimated() -> None:
    assert 6 <= ChatKimi(base_url=LOCAL).get_num_tokens("How many tokens is this sentence?") <= 9
    own = ChatKimi(base_url=LOCAL, custom_get_token_ids=lambda text: list(range(len(text))))
    assert own.get_num_tokens("four") == 4


@pytest.mark.parametrize(
    "option",
    [
        {"temperature": 2.5},
        {"temperature": "hot"},
        {"temperature": True},
        {"top_p": -0.1},
        {"top_p": float("nan")},
        {"seed": -1},
        {"seed": 1.5},
        {"extra_body": [1]},
        {"model": 3},
        {"model": " "},
        {"stop": 3},
        {"stop": [3]},
        {"response_format": 3},
    ],
)
def test_values_of_a_call_are_checked_as_fields_are(option: dict[str, Any]) -> None:
    name, value = next(iter(option.items()))

    with pytest.raises(KimiInvalidInputError, match=f"{name}=.*pass a") as caught:
        ChatKimi(base_url=LOCAL).invoke("Hi", **option)

    assert repr(value) in str(caught.value)


# --- lifetime ---------------------------------------------------------------------------------


async def test_a_closed_model_opens_again(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    vllm.script(*[say("Yes.")] * 4)
    llm = connect(vllm)

    llm.close()
    for _ in range(2):
        assert llm.invoke("Hi").content == "Yes."
        assert (await llm.ainvoke("Hi")).content == "Yes."
        await llm.aclose()
