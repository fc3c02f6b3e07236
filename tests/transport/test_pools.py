"""Connections over event loops, threads, processes, cancellations and ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from langchain_kimi.transport import Transport
from langchain_kimi.transport.async_pool import _open_socket
from langchain_kimi.transport.server import Server
from langchain_kimi.transport.sync_pool import make_pool

from .raw_server import (
    CHUNKED,
    END,
    HELLO,
    Caller,
    Exchange,
    RawServer,
    answers,
    as_json,
    event,
    is_output,
    token,
)

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


def settles(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds, for five seconds at most."""
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Fail on what asyncio or urllib3 log as a problem by the end of the test."""
    caplog.set_level(logging.WARNING)
    yield caplog.messages
    gc.collect()
    assert caplog.messages == []


@pytest.mark.usefixtures("complaints")
def test_one_transport_in_many_loops(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)

    async def calls() -> None:
        for _ in range(3):
            assert (await transport.apost("chat", {})).data == HELLO

    for number in range(1, 6):
        asyncio.run(calls())
        assert server.connections == number
        assert settles(lambda: server.open == 0)


@pytest.mark.usefixtures("complaints")
def test_streams_in_many_loops(serve: Serve, connect: Connect) -> None:
    server = serve(answers(CHUNKED + event(token("a")) + event("[DONE]") + END))
    transport = connect(server.url)

    async def read() -> list[object]:
        async with transport.astream("chat", {}, is_output=is_output) as events:
            return [one async for one in events]

    for _ in range(4):
        assert asyncio.run(read()) == [token("a")]
    assert settles(lambda: server.open == 0)


@pytest.mark.usefixtures("complaints")
def test_a_loop_that_ends_inside_a_stream(serve: Serve, connect: Connect) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(CHUNKED, event(token("a")))
        await exchange.hang()

    server = serve(handler)
    transport = connect(server.url)

    async def tokens() -> AsyncIterator[object]:
        async with transport.astream("chat", {}, is_output=is_output) as events:
            async for one in events:
                yield one

    async def abandon() -> None:
        left.append(tokens())
        assert await anext(left[0]) == token("a")

    left: list[AsyncIterator[object]] = []
    asyncio.run(abandon())
    assert settles(lambda: server.open == 0)


@pytest.mark.usefixtures("complaints")
@pytest.mark.filterwarnings("ignore:unclosed transport:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_loops_that_are_closed_without_their_shutdown(serve: Serve, connect: Connect) -> None:
    """Python itself warns of the sockets of such a loop, but nothing of them remains."""
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    loops = []
    for _ in range(3):
        loop = asyncio.new_event_loop()
        assert loop.run_until_complete(transport.apost("chat", {})).data == HELLO
        loop.close()
        loops.append(weakref.ref(loop))
    assert settles(lambda: server.open == 1)
    asyncio.run(transport.aclose())
    assert settles(lambda: server.open == 0)
    del loop
    assert settles(lambda: gc.collect() >= 0 and not any(known() for known in loops))


@pytest.mark.usefixtures("complaints")
@pytest.mark.parametrize("how", ["close", "del"])
def test_a_loop_that_rests_while_its_transport_goes(
    serve: Serve, connect: Connect, how: str
) -> None:
    """As in a notebook, or with a loop that is kept between calls and closed without shutdown."""
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url).__copy__()
    loop = asyncio.new_event_loop()
    for _ in range(2):
        assert loop.run_until_complete(transport.apost("chat", {})).data == HELLO
    if how == "close":
        transport.close()
    else:
        del transport
        gc.collect()
    assert settles(lambda: server.open == 0)
    loop.close()
    del loop
    gc.collect()


@pytest.mark.usefixtures("complaints")
async def test_a_pool_that_was_closed_does_not_take_its_successor_along(
    serve: Serve, connect: Connect
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    for number in range(1, 4):
        for _ in range(3):
            assert (await transport.apost("chat", {})).data == HELLO
            gc.collect()
        assert server.connections == number
        await transport.aclose()


@pytest.mark.usefixtures("complaints")
def test_one_transport_in_loops_of_many_threads(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)

    def work(_: int) -> bool:
        return asyncio.run(transport.apost("chat", {})).data == HELLO

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))
    assert settles(lambda: server.open == 0)


@pytest.mark.usefixtures("complaints")
async def test_a_transport_that_goes_closes_its_connections(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url).__copy__()
    await transport.apost("chat", {})
    await asyncio.to_thread(transport.post, "chat", {})
    assert server.open == 2
    del transport
    gc.collect()
    assert await asyncio.to_thread(settles, lambda: server.open == 0)


@pytest.mark.usefixtures("complaints")
@pytest.mark.parametrize("how", ["aclose", "close", "close-in-thread"])
async def test_closing_closes_and_the_next_call_opens(
    serve: Serve, connect: Connect, how: str
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    for number in range(1, 4):
        await transport.apost("chat", {})
        await asyncio.to_thread(transport.post, "chat", {})
        assert server.connections == 2 * number
        if how == "aclose":
            await transport.aclose()
        elif how == "close":
            transport.close()
        else:
            await asyncio.to_thread(transport.close)
        assert await asyncio.to_thread(settles, lambda: server.open == 0)


async def test_never_more_connections_than_calls_in_flight(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    for _ in range(3):
        await asyncio.gather(*(caller.post(transport) for _ in range(12)))
    assert server.connections <= 12


def test_threads_share_connections(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    with ThreadPoolExecutor(6) as pool:
        for reply in pool.map(lambda _: transport.post("chat", {}), range(120)):
            assert reply.data == HELLO
    assert server.connections <= 6


async def test_connections_that_rested_too_long_are_renewed(
    serve: Serve, connect: Connect, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sync_pool", "async_pool"):
        monkeypatch.setattr(f"langchain_kimi.transport.{module}.KEEP_SECONDS", 0.2)
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    for _ in range(2):
        await caller.post(transport)
        await caller.post(transport)
        await asyncio.sleep(0.5)
    assert server.connections == 2


def test_sockets_are_probed_while_they_wait(serve: Serve) -> None:
    server = serve(answers(as_json(HELLO)))
    settings = Server(base_url=server.url, endpoint="vllm")
    response = make_pool(settings, None).urlopen("GET", server.url, preload_content=False)
    assert response.connection is not None
    kept = getattr(response.connection, "sock", None)
    assert isinstance(kept, socket.socket)
    address = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("", 0))
    with _open_socket(weakref.WeakSet(), address) as opened:
        for sock in (kept, opened):
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 30
    response.close()


async def test_a_synchronous_call_inside_a_running_loop(serve: Serve, connect: Connect) -> None:
    """As in a notebook cell."""
    server = serve(answers(as_json(HELLO)))
    transport = connect(server.url)
    assert transport.post("chat", {}).data == HELLO
    assert (await transport.apost("chat", {})).data == HELLO
    assert transport.post("chat", {}).data == HELLO


@pytest.mark.parametrize("after", [b"", CHUNKED, CHUNKED + event(token("a"))])
@pytest.mark.parametrize("streamed", [True, False])
async def test_cancelling_ends_the_request_at_once(
    serve: Serve, connect: Connect, after: bytes, streamed: bool
) -> None:
    begun = threading.Event()

    async def handler(exchange: Exchange) -> None:
        if begun.is_set():
            await exchange.send(as_json(HELLO))
            return
        await exchange.send(after)
        begun.set()
        await exchange.hang()

    server = serve(handler)
    transport = connect(server.url)
    caller = Caller("async")
    task = asyncio.create_task((caller.stream if streamed else caller.post)(transport))
    assert await asyncio.to_thread(begun.wait, 5)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(server.gone.wait, 5)
    assert (await transport.apost("chat", {})).data == HELLO
    assert len(server.requests) == 2


async def test_cancelling_ends_the_wait_before_a_retry(serve: Serve, connect: Connect) -> None:
    server = serve(answers(as_json({}, "429 X", Retry_After="30")))
    transport = connect(server.url)
    task = asyncio.create_task(transport.apost("chat", {}))
    assert await asyncio.to_thread(settles, lambda: len(server.requests) == 1)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


PRELUDE = """
import asyncio, gc, logging, os, sys
from pydantic import SecretStr
from langchain_kimi.transport import Timeout, Transport
transport = Transport(base_url=sys.argv[1], api_key=SecretStr("key"), endpoint="vllm", headers={},
                      timeout=Timeout(), max_retries=0, verify_ssl=True, polls_202=False)
# The development mode also tells of steps that took long, which a busy machine makes of any.
logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))
"""


def run_script(script: str, url: str) -> None:
    """Run a script in an interpreter of its own, where every warning would be printed."""
    command = [sys.executable, "-X", "dev", "-W", "ignore::DeprecationWarning", "-c"]
    done = subprocess.run(
        [*command, PRELUDE + script, url], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.stderr == ""
    assert done.stdout.split() == ["end"]


SCRIPTS = {
    "asyncio.run": "asyncio.run(transport.apost('a', {}))",
    "two loops": "asyncio.run(transport.apost('a', {})); asyncio.run(transport.apost('a', {}))",
    "sync": "transport.post('a', {})",
    "an idle loop, closed at the end": (
        "loop = asyncio.new_event_loop(); loop.run_until_complete(transport.apost('a', {}));"
        "loop.run_until_complete(loop.shutdown_asyncgens()); loop.close()"
    ),
    "a transport that goes in its loop": (
        "async def main():\n"
        "    global transport\n"
        "    await transport.apost('a', {})\n"
        "    del transport\n"
        "    gc.collect()\n"
        "asyncio.run(main())"
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_interpreter_ends_in_silence(serve: Serve, name: str) -> None:
    server = serve(answers(as_json(HELLO)))
    run_script(SCRIPTS[name] + "\nprint('end')", server.url)
    assert settles(lambda: server.open == 0)


def test_the_interpreter_ends_with_a_loop_left_open(serve: Serve) -> None:
    """Python itself warns of the loop; nothing may be said of sessions and sockets."""
    script = """
loop = asyncio.new_event_loop()
loop.run_until_complete(transport.apost('a', {}))
import atexit, warnings
warnings.filterwarnings("ignore", "unclosed event loop")
print('end')
"""
    server = serve(answers(as_json(HELLO)))
    run_script(script, server.url)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_opens_its_own_connections(serve: Serve) -> None:
    script = """
assert transport.post('a', {}).status == 200
child = os.fork()
for _ in range(5):
    assert transport.post('a', {}).status == 200
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print('end')
"""
    server = serve(answers(as_json(HELLO)))
    run_script(script, server.url)
    assert server.connections == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.parametrize("asks", [False, True], ids=["ends", "asks_and_ends"])
def test_a_forked_process_leaves_the_connections_of_its_parents_loop(
    serve: Serve, asks: bool
) -> None:
    """Parent and child share the loop's selector: what the child closes, the parent would miss."""
    script = f"""
loop = asyncio.new_event_loop()
loop.run_until_complete(transport.apost('a', {{}}))
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # Python itself warns of the loop
    if {asks}:
        loop.run_until_complete(transport.apost('a', {{}}))
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
loop.run_until_complete(asyncio.wait_for(transport.apost('a', {{}}), 20))
loop.run_until_complete(transport.aclose())
loop.close()
print('end')
"""
    server = serve(answers(as_json(HELLO)))
    run_script(script, server.url)
    assert server.connections == 1 + asks
