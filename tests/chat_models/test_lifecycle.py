"""Construction, import, loops, cancellation: nothing is opened early, left open or hanging."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from langchain_kimi import ChatKimi
from langchain_kimi.testing import call, hang, pause, say, think, turn

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_kimi.testing import KimiServer

    from .calling import Ask


def run_python(code: str) -> str:
    """Run code in a fresh interpreter where warnings are errors; return what it printed."""
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout + finished.stderr


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does."""
    for _ in range(3_000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to hold")


NO_NETWORK = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse
"""


def test_import_has_no_side_effects() -> None:
    said = run_python(
        textwrap.dedent(NO_NETWORK)
        + textwrap.dedent("""
        import asyncio, logging, os, threading, warnings
        environment = dict(os.environ)
        handlers, level = list(logging.root.handlers), logging.root.level
        filters = list(warnings.filters)
        import langchain_kimi
        assert not [m for m in sys.modules if m.startswith(("langchain_kimi.chat", "aiohttp"))]
        from langchain_kimi import ChatKimi, KimiError, Timeout
        assert dict(os.environ) == environment
        assert (logging.root.handlers, logging.root.level) == (handlers, level)
        assert [f for f in warnings.filters if "kimi" in str(f)] == []
        assert threading.active_count() == 1
        heavy = {"langgraph", "pymilvus", "pypdfium2", "av", "fastapi", "uvicorn", "mcp"}
        assert not heavy & set(sys.modules), heavy & set(sys.modules)
        assert not [m for m in sys.modules if m.startswith("langchain_kimi.testing")]
        """)
    )

    assert said == ""


def test_construction_and_binding_touch_no_network() -> None:
    said = run_python(
        textwrap.dedent(NO_NETWORK)
        + textwrap.dedent("""
        from langchain_kimi import ChatKimi
        llm = ChatKimi(api_key="nvapi-x", model="some/unheard-of-model")
        schema = {"title": "A", "type": "object", "properties": {"a": {"type": "string"}}}
        llm.bind_tools([schema]).bind(thinking=False)
        llm.with_structured_output(schema)
        llm.profile, repr(llm), llm._identifying_params
        llm.close()
        """)
    )

    assert said == ""


def test_a_script_of_several_loops_ends_without_a_word() -> None:
    """What a notebook or a test suite does: a loop a call, nothing closed by hand."""
    said = run_python("""
        import asyncio, gc
        from langchain_kimi import ChatKimi
        from langchain_kimi.testing import KimiServer, say

        async def ask(llm):
            assert (await llm.ainvoke("Hi")).content == "Yes."
            return [chunk async for chunk in llm.astream("Hi")]

        with KimiServer("vllm") as server:
            server.script(*[say("Yes.")] * 20)
            llm = ChatKimi(base_url=server.base_url, api_key="x")
            for _ in range(3):
                asyncio.run(ask(llm))
                assert llm.invoke("Hi").content == "Yes."
            del llm
            gc.collect()
    """)

    assert said == ""


async def test_loops_in_threads_share_a_model(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    vllm.respond_with(lambda body: say(body["messages"][0]["content"]))
    llm = connect(vllm)
    got: dict[int, list[str]] = {}

    def work(number: int) -> None:
        async def ask() -> list[str]:
            asked = [llm.ainvoke(f"{number}.{turn}") for turn in range(4)]
            return [str(message.content) for message in await asyncio.gather(*asked)]

        got[number] = asyncio.run(ask())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == {n: [f"{n}.{turn}" for turn in range(4)] for n in range(4)}


async def test_one_loop_uses_one_pool(vllm: KimiServer, connect: Callable[..., ChatKimi]) -> None:
    vllm.script(*[say("Yes.")] * 8)
    llm = connect(vllm)

    for _ in range(4):
        await llm.ainvoke("Hi")
        await llm.bind(seed=1).ainvoke("Hi")

    assert vllm.connections == 1


async def test_a_configured_model_does_not_leave_connections_open(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    from langchain_core.runnables import ConfigurableField

    vllm.script(*[say("Yes.")] * 4)
    llm = connect(vllm).configurable_fields(thinking=ConfigurableField(id="thinking"))

    for thinking in (True, False):
        config: Any = {"configurable": {"thinking": thinking}}
        await llm.ainvoke("Hi", config)
        llm.invoke("Hi", config)

    gc.collect()  # an open connection would warn here, and a warning is an error


async def test_cancelling_ends_the_request(
    vllm: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    vllm.script(hang(), say("never"), turn(say("Half"), pause(), say("never")), say("Yes."))
    llm = connect(vllm)

    async def read_on() -> None:
        async for _ in llm.astream("Hi"):
            pass

    for number, waiting in enumerate((llm.ainvoke("Hi"), read_on()), start=1):
        task = asyncio.ensure_future(waiting)
        await until(lambda number=number: len(vllm.exchanges) == number and vllm.in_flight == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: vllm.in_flight == 0)

    assert [exchange.outcome for exchange in vllm.exchanges] == ["client_left"] * 2
    assert (await llm.ainvoke("Hi")).content == "Yes."


@pytest.mark.parametrize("bound", [False, True], ids=["bare", "bind_tools"])
async def test_a_configured_model_streams_over_the_connections_that_are_there(
    vllm: KimiServer, connect: Callable[..., ChatKimi], ask: Ask, bound: bool
) -> None:
    def look() -> str:
        """Look."""
        return ""

    llm: Any = connect(vllm).configurable_fields(temperature=ConfigurableField("t"))
    llm = llm.bind_tools([look]) if bound else llm
    vllm.script(*[say("an answer of many characters")] * 3)
    before = vllm.connections

    for warmth in (0.5, 0.6, 0.5):
        given = llm.with_config(configurable={"t": warmth})
        if ask.streams:
            assert len(await ask.chunks(given, "Hi")) > 2
        else:
            await ask(given, "Hi")
        assert vllm.requests[-1]["temperature"] == warmth
        assert vllm.requests[-1].get("stream", False) is ask.streams

    assert vllm.connections - before == 1


def test_a_configured_model_keeps_what_was_given_and_knows_its_profile() -> None:
    llm = ChatKimi(base_url="http://127.0.0.1:9/v1", seed=3)
    fields = {"model": ConfigurableField("m"), "max_tokens": ConfigurableField("n")}
    other, _ = llm.configurable_fields(**fields).bound.prepare(  # type: ignore[attr-defined]
        {"configurable": {"m": "moonshotai/kimi-k3", "n": 50}}
    )

    assert (other.model, other.seed, other.max_tokens) == ("moonshotai/kimi-k3", 3, 50)
    assert other.profile["max_input_tokens"] == 1_048_576
    assert llm.profile is not None
    assert llm.profile["max_input_tokens"] == 262_144
    with pytest.raises(ValidationError):
        llm.configurable_fields(**fields).invoke("Hi", {"configurable": {"n": -1}})


@pytest.mark.parametrize("mode", ["stream", "astream"])
async def test_a_stream_that_nobody_reads_on_is_closed(
    vllm: KimiServer, connect: Callable[..., ChatKimi], mode: str
) -> None:
    vllm.script(turn(say("One two three"), pause(), say("never")))
    llm = connect(vllm)

    if mode == "stream":
        chunks = llm.stream("Hi")
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]
    else:
        achunks = llm.astream("Hi")
        await anext(achunks)
        await achunks.aclose()  # type: ignore[attr-defined]
    await until(lambda: vllm.in_flight == 0)

    assert [exchange.outcome for exchange in vllm.exchanges] == ["client_left"]


async def test_callbacks_see_every_token(
    server: KimiServer, connect: Callable[..., ChatKimi], ask: Ask
) -> None:
    tokens: list[str] = []
    ended: list[str] = []

    class Sync(BaseCallbackHandler):
        def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            tokens.append(token)

        def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            ended.append(response.generations[0][0].message.text)

    class Async(AsyncCallbackHandler):
        async def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
            tokens.append(token)

        async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
            ended.append(response.generations[0][0].message.text)

    server.script(turn(think("Hm."), say("A longer answer."), call("f", x=1)))
    handler = Async() if ask.mode.startswith("a") else Sync()

    message = await ask(connect(server), "Hi", config={"callbacks": [handler]})

    assert message.text == "A longer answer."
    assert ended == ["A longer answer."]
    assert "".join(tokens) == ("A longer answer." if ask.streams else "")


async def test_the_first_token_is_not_held_back(
    server: KimiServer, connect: Callable[..., ChatKimi]
) -> None:
    server.script(turn(think("Thinking."), say("First"), pause(), say("never")))
    reading = connect(server).astream("Hi")
    seen = ""

    while "First" not in seen:
        seen += (await anext(reading)).text

    await reading.aclose()  # type: ignore[attr-defined]
    assert seen == "First"
