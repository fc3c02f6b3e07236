"""The key and secret headers stay inside: not in dumps, pickles, reprs, logs, errors or traces."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import io
import json
import logging
import math
import pickle
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.load import dumpd, dumps, loads
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableBinding, RunnableLambda
from langchain_core.tracers import BaseTracer
from pydantic import BaseModel, SecretStr, ValidationError

from langchain_kimi import ChatKimi, KimiError, Timeout
from langchain_kimi.binding import KimiBinding
from langchain_kimi.links import key_of
from langchain_kimi.testing import cut, error, error_event, say, server_error, turn, unauthorized

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.tracers.schemas import Run

    from langchain_kimi.testing import KimiServer

    from .calling import Ask

KEY = "nvapi-7f3b2a9c-very-secret-0123456789"
TOKEN = "tok-11aa22bb33cc44dd"
HEADERS = {
    "Authorization": f"Basic {TOKEN}",
    **dict.fromkeys(("X-Api-Key", "X-Jwt", "X-Corp-Ticket", "X-Org"), TOKEN),
    "Cookie": f"theme=dark; sid={TOKEN}; path=/",
    "NVCF-POLL-SECONDS": "5",
}


class City(BaseModel):
    """A city."""

    name: str


def look(city: str) -> str:
    """Look at a city."""
    return city


def secret_model(**fields: Any) -> ChatKimi:
    settings = {
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": KEY,
        "default_headers": HEADERS,
        "max_retries": 0,
        **fields,
    }
    return ChatKimi(**settings)


def assert_clean(text: str) -> None:
    assert KEY not in text
    assert TOKEN not in text


# --- forms ------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [False, True])
def test_no_form_of_a_model_shows_it(
    vllm: KimiServer, connect: Callable[..., ChatKimi], used: bool
) -> None:
    vllm.script(say("Yes."))
    llm = connect(vllm, api_key=KEY, default_headers=HEADERS)
    if used:
        llm.invoke("Hi")
    runnables: list[Any] = [
        llm,
        llm.bind_tools([look]),
        llm.bind(seed=1).configurable_fields(),
        llm.with_structured_output(City),
        llm | RunnableLambda(str),
        llm.model_copy(),
    ]

    for runnable in runnables:
        assert_clean(repr(runnable))
        assert_clean(str(runnable))
        assert_clean(json.dumps(dumpd(runnable)))
    assert_clean(llm.model_dump_json())
    assert_clean(repr(llm.model_dump()))
    assert_clean(repr(llm._identifying_params))
    assert_clean(llm._get_llm_string())
    assert_clean(repr(llm.transport))
    assert_clean(repr(vars(llm.transport)))
    assert_clean(pickle.dumps(llm).decode("latin-1"))
    assert_clean(pickle.dumps(llm.bind_tools([look])).decode("latin-1"))


def test_nothing_of_a_conversation_is_kept(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    vllm.script(say("the answer nobody may keep"))
    llm = connect(vllm)

    llm.invoke("the question nobody may keep")

    pickled = pickle.dumps(llm).decode("latin-1")
    assert "nobody may keep" not in pickled + repr(vars(llm)) + repr(vars(llm.transport))


def test_validation_errors_do_not_quote_the_key() -> None:
    with pytest.raises(ValidationError) as caught:
        secret_model(temperature="hot")

    assert_clean(str(caught.value))
    assert_clean(repr(caught.value))


# --- dumps and loads --------------------------------------------------------------------------


def revived(text: str, **options: Any) -> Any:
    """Load what `dumps` wrote, as the documentation says."""
    return loads(
        text,
        allowed_objects=[ChatKimi, RunnableBinding],
        valid_namespaces=["langchain_kimi"],
        **options,
    )


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_dumps_and_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    llm = secret_model(
        model="moonshotai/kimi-k2.5",
        thinking=False,
        temperature=0.3,
        max_completion_tokens=99,
        stop=["END"],
        timeout=Timeout(connect=1.0, response=math.inf, idle=3.0),
        extra_body={"top_k": 5},
        endpoint="sglang",
        verify_ssl=False,
    )

    text = dumps(llm)
    loaded = revived(text, secrets_map={"NVIDIA_API_KEY": "nvapi-other"})

    assert_clean(text)
    assert isinstance(loaded, ChatKimi)
    assert loaded.api_key == SecretStr("nvapi-other")
    assert loaded.default_headers == {"NVCF-POLL-SECONDS": "5"}
    assert loaded.timeout == Timeout(connect=1.0, response=math.inf, idle=3.0)
    assert loaded._identifying_params == llm._identifying_params
    assert loaded.verify_ssl is False
    assert dumps(loaded) == text


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_loads_reads_the_key_of_the_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-of-the-environment")
    text = dumps(ChatKimi(endpoint="moonshot", api_key=KEY))

    loaded = revived(text, secrets_from_env=True)

    assert_clean(text)
    assert loaded.api_key == SecretStr("sk-of-the-environment")


@pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")
def test_bindings_are_dumped_as_langchain_knows_them() -> None:
    text = dumps(secret_model().bind(thinking=False, seed=3))

    loaded = revived(text)

    assert_clean(text)
    assert isinstance(loaded, RunnableBinding)
    assert loaded.kwargs == {"thinking": False, "seed": 3}
    assert isinstance(loaded.bound, ChatKimi)


def test_pickles_and_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-of-the-environment")
    llm = secret_model()

    loaded = pickle.loads(pickle.dumps(llm))
    binding = pickle.loads(pickle.dumps(llm.bind(thinking=False)))

    assert loaded.api_key is None
    assert key_of(loaded).get_secret_value() == "nvapi-of-the-environment"
    assert loaded.default_headers == {"NVCF-POLL-SECONDS": "5"}
    assert isinstance(binding, KimiBinding)
    assert binding.kwargs == {"thinking": False}
    for twin in (copy.copy(llm), copy.deepcopy(llm), llm.model_copy(deep=True)):
        assert key_of(twin).get_secret_value() == KEY
        assert twin.default_headers == HEADERS


# --- running ----------------------------------------------------------------------------------


class Collector(BaseTracer):
    """Keeps every run as a tracer would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.runs.append(run)


def echoing(key: str) -> Any:
    """A server that repeats the key in its refusal."""
    return error(400, f"the key {key} of 'Bearer {key}' is not known here")


FAULTS: dict[str, Any] = {
    "none": say("Yes."),
    "unauthorized": unauthorized(),
    "echo": echoing(KEY),
    "echo_token": echoing(TOKEN),
    "page": server_error(502, html=True),
    "cut": turn(say("Half"), cut()),
    "event": turn(say("Half"), error_event(f"bad key {KEY}")),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_logs_errors_and_traces(
    server: KimiServer,
    connect: Callable[..., ChatKimi],
    ask: Ask,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.script(FAULTS[fault])
    llm = connect(server, api_key=KEY, default_headers=HEADERS)
    tracer = Collector()
    told = ""

    try:
        await ask(llm, [HumanMessage("Hi")], config={"callbacks": [tracer]})
    except KimiError as failure:
        told = "".join(traceback.format_exception(failure))
        told += repr(failure) + repr(vars(failure)) + repr(failure.partial)
        told += pickle.dumps(failure).decode("latin-1")

    assert_clean(told)
    assert_clean(caplog.text)
    assert_clean("".join(capsys.readouterr()))
    assert tracer.runs
    assert_clean("".join(run.model_dump_json() for run in tracer.runs))
    assert (told == "") == (fault == "none" or (fault == "event" and not ask.streams and not told))


def test_an_unreachable_server_tells_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    llm = secret_model()
    stream = io.StringIO()

    with contextlib.redirect_stderr(stream), pytest.raises(KimiError) as caught:
        llm.invoke("Hi")

    assert_clean("".join(traceback.format_exception(caught.value)))
    assert_clean(caplog.text + stream.getvalue())
    llm.close()


@pytest.mark.parametrize("key", ["two\nlines", "tab\there", "nul\0"])
def test_a_key_that_no_header_carries_is_not_quoted(key: str) -> None:
    with pytest.raises(KimiError) as caught:
        secret_model(api_key=f"{KEY}{key}").invoke("Hi")

    assert_clean("".join(traceback.format_exception(caught.value)))


def frames_of(error: BaseException) -> str:
    """Show an error as reporters do that show the locals of each frame of the package."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    own = [frame for frame in frames(shown) if not frame.filename.endswith("test_secrets.py")]
    return "".join(str(frame.locals) for frame in own)


def frames(shown: traceback.TracebackException) -> list[traceback.FrameSummary]:
    linked = [one for one in (shown.__cause__, shown.__context__) if one is not None]
    return [*shown.stack, *(frame for one in linked for frame in frames(one))]


@pytest.mark.parametrize(
    "given",
    [{"timeout": 0}, {"temperature": 9}, {"temprature": 1}, {"base_url": "ftp://host"}],
    ids=repr,
)
def test_no_frame_of_a_refused_model_holds_a_secret(given: dict[str, Any]) -> None:
    with pytest.raises((ValidationError, KimiError)) as caught:
        secret_model(**given)

    assert_clean(frames_of(caught.value))


async def test_no_frame_of_a_cancelled_call_holds_a_secret() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        llm = ChatKimi(base_url=url, api_key=KEY, default_headers=HEADERS, max_retries=0)
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.2):
                await llm.ainvoke("Hi")
        await llm.aclose()

    assert_clean(frames_of(caught.value))
