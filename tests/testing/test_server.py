"""The server itself: its life, its records, many requests at once."""

import asyncio
import http.client
import json
import socket
import ssl

import aiohttp
import pytest
import trustme

from langchain_kimi.testing import KimiServer, call, say, think, turn

from .client import TIMEOUT, chat, chat_body, request, stream

IN_FLIGHT = 300


def test_it_stops_with_its_block_and_starts_again():
    server = KimiServer()
    with server:
        assert chat(server).status == 200
    with (
        pytest.raises(OSError, match="refused"),
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        pass
    with server:
        assert chat(server).status == 200


async def test_it_serves_the_loop_that_waits_for_it():
    async with KimiServer() as server, aiohttp.ClientSession() as session:
        server.script(say("Hello"))
        async with session.post(
            f"{server.base_url}/chat/completions", json=chat_body(server)
        ) as reply:
            body = await reply.json()

    assert body["choices"][0]["message"]["content"] == "Hello"


def test_starting_twice_is_refused(kimi_server):
    with pytest.raises(RuntimeError, match="runs already"):
        kimi_server.start()


def test_stopping_twice_is_harmless():
    server = KimiServer().start()
    server.stop()
    server.stop()


def test_a_taken_port_is_reported(kimi_server):
    with pytest.raises(OSError, match="in use"):
        KimiServer(port=kimi_server.port).start()


def test_unknown_dialects_are_refused():
    with pytest.raises(ValueError, match="choose one of moonshot, nvidia, sglang, vllm"):
        KimiServer(dialect="openai")


def test_requests_and_exchanges_are_recorded(kimi_server):
    chat(kimi_server, seed=5)
    request(kimi_server, "/v1/models?x=1", **{"X-Mine": "yes"})

    first, second = kimi_server.exchanges
    assert kimi_server.requests == [chat_body(kimi_server, seed=5)]
    assert (first.method, first.path, first.status) == ("POST", "/v1/chat/completions", 200)
    assert (second.method, second.path, second.body) == ("GET", "/v1/models?x=1", None)
    assert second.headers["x-mine"] == "yes"
    assert {first.outcome, second.outcome} == {"finished"}


def test_clear_forgets_script_and_records(kimi_server):
    kimi_server.script(say("a"))
    kimi_server.respond_with(lambda request: say("b"))
    request(kimi_server, "/v1/models")

    kimi_server.clear()

    assert kimi_server.remaining == 0
    assert kimi_server.exchanges == []
    assert chat(kimi_server).json["system_fingerprint"] == "stand-in (no model)"


@pytest.mark.kimi(record=False)
def test_a_server_may_keep_no_records(kimi_server):
    assert chat(kimi_server).status == 200
    assert kimi_server.exchanges == []


def test_connections_are_counted(kimi_server):
    connection = http.client.HTTPConnection(kimi_server.host, kimi_server.port, timeout=TIMEOUT)
    for _ in range(3):
        connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(kimi_server)))
        connection.getresponse().read()
    connection.close()
    chat(kimi_server)

    assert kimi_server.connections == 2


def test_a_function_may_choose_the_turn(kimi_server):
    def respond(body):
        text = body["messages"][-1]["content"]
        return [think("hm"), say(text.upper())] if text != "pass" else None

    kimi_server.respond_with(respond)
    kimi_server.script(say("from the script"))

    shouted = chat(kimi_server, messages=[{"role": "user", "content": "hello"}])
    passed = chat(kimi_server, messages=[{"role": "user", "content": "pass"}])

    assert shouted.message["content"] == "HELLO"
    assert shouted.message["reasoning"] == "hm"
    assert passed.message["content"] == "from the script"


@pytest.mark.parametrize(
    ("answer", "text"),
    [(say("a"), "a"), (turn(say("b")), "b"), ([think("t"), say("c")], "c")],
)
def test_what_such_a_function_may_return(kimi_server, answer, text):
    kimi_server.respond_with(lambda body: answer)

    assert chat(kimi_server).message["content"] == text


def test_a_function_that_fails_is_a_500_that_says_so(kimi_server, caplog):
    kimi_server.respond_with(lambda body: [say("a"), say("b")])

    answer = chat(kimi_server)

    assert answer.status == 500
    assert "parts of 2 turns" in answer.error
    assert "failed to answer /v1/chat/completions" in caplog.text


async def test_many_requests_at_once(kimi_server):
    everybody_is_here = asyncio.Event()

    def respond(body):
        return [think("hm"), call("echo", text=body["messages"][0]["content"])]

    async def ask(session, number):
        body = chat_body(kimi_server, stream=bool(number % 2))
        body["messages"] = [{"role": "user", "content": f"number {number}"}]
        await everybody_is_here.wait()
        async with session.post(f"{kimi_server.base_url}/chat/completions", json=body) as reply:
            return number, await reply.text()

    kimi_server.respond_with(respond)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        asking = [asyncio.create_task(ask(session, number)) for number in range(IN_FLIGHT)]
        everybody_is_here.set()
        replies = await asyncio.gather(*asking)

    assert len(kimi_server.requests) == IN_FLIGHT
    for number, text in replies:
        if number % 2 == 0:
            made = json.loads(text)["choices"][0]["message"]["tool_calls"][0]
            assert json.loads(made["function"]["arguments"]) == {"text": f"number {number}"}
        else:
            assert text.endswith("data: [DONE]\n\n")
    assert kimi_server.in_flight == 0


@pytest.mark.kimi(tokens_per_second=0.5)
async def test_all_of_them_are_in_flight_together(kimi_server):
    async def ask(session):
        body = chat_body(kimi_server, stream=True)
        async with session.post(f"{kimi_server.base_url}/chat/completions", json=body) as reply:
            await reply.content.readany()
            await held.wait()

    held = asyncio.Event()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        asking = [asyncio.create_task(ask(session)) for _ in range(IN_FLIGHT)]
        while kimi_server.in_flight < IN_FLIGHT:  # noqa: ASYNC110 - its loop is another
            await asyncio.sleep(0.01)
        held.set()
        await asyncio.gather(*asking)

    assert kimi_server.peak_in_flight == IN_FLIGHT
    assert kimi_server.connections == IN_FLIGHT


@pytest.mark.kimi(tokens_per_second=0.01, chunk_chars=4)
def test_tokens_are_paced(kimi_server):
    kimi_server.script(say("never quite said"))
    connection = http.client.HTTPConnection(kimi_server.host, kimi_server.port, timeout=TIMEOUT)
    body = json.dumps(chat_body(kimi_server, stream=True))
    connection.request("POST", "/v1/chat/completions", body)
    reply = connection.getresponse()

    first = reply.read1()

    assert b'"role":"assistant"' in first
    assert b"never" not in first
    assert kimi_server.in_flight == 1
    reply.close()
    connection.close()


@pytest.mark.kimi(chunk_chars=3)
def test_pieces_have_the_size_asked_for(kimi_server):
    kimi_server.script(say("abcdefgh"))

    pieces = [delta["content"] for delta in stream(kimi_server).deltas if delta.get("content")]

    assert pieces == ["abc", "def", "gh"]


async def test_it_serves_tls(tmp_path):
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async with KimiServer(ssl_context=serving) as server, aiohttp.ClientSession() as session:
        url = f"{server.base_url}/models"
        async with session.get(url, ssl=trusting) as reply:
            assert reply.status == 200

    assert url.startswith("https://")
