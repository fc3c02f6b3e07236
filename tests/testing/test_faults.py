"""Each fault, seen from the wire."""

import http.client
import json
import threading
import time
from datetime import UTC, datetime

import pytest

from langchain_kimi.testing import (
    accepted,
    chunked,
    comment,
    content_filtered,
    cut,
    drop,
    end_early,
    error,
    error_event,
    finish,
    forbidden,
    framed,
    gone,
    hang,
    malformed_chunk,
    out_of_quota,
    pause,
    rate_limited,
    raw,
    retired,
    say,
    server_error,
    slow_first_token,
    think,
    turn,
    unauthorized,
)

from .client import DIALECTS, TIMEOUT, chat, chat_body, request, stream, stream_until_cut

every_dialect = pytest.mark.parametrize("dialect", DIALECTS)


@every_dialect
@pytest.mark.parametrize("ask", [chat, stream])
@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (unauthorized(), 401),
        (forbidden(), 403),
        (retired(), 404),
        (gone(), 410),
        (rate_limited(), 429),
        (out_of_quota(), 429),
        (server_error(), 500),
        (server_error(503), 503),
        (error(418), 418),
    ],
    ids=str,
)
def test_http_errors(kimi_server_factory, dialect, ask, fault, status):
    server = kimi_server_factory(dialect)
    server.script(fault, say("after"))

    failed = ask(server)

    assert failed.status == status
    assert "Retry-After" not in failed.headers
    assert b"retired_model" not in failed.body
    assert chat(server).message["content"] == "after"


@every_dialect
def test_errors_have_the_shape_of_their_dialect(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect)
    server.script(error(500, "the engine died"))

    assert (
        chat(server).json
        == {
            "nvidia": {
                "status": 500,
                "title": "Internal Server Error",
                "detail": "the engine died",
            },
            "vllm": {
                "error": {
                    "message": "the engine died",
                    "type": "InternalServerError",
                    "param": None,
                    "code": 500,
                }
            },
            "sglang": {
                "object": "error",
                "message": "the engine died",
                "type": "InternalServerError",
                "param": None,
                "code": 500,
            },
            "moonshot": {"error": {"message": "the engine died", "type": "server_error"}},
        }[dialect]
    )


@pytest.mark.kimi(dialect="nvidia")
def test_the_words_for_a_retired_model(kimi_server):
    kimi_server.script(retired())

    body = chat(kimi_server).json

    assert body["status"] == 404
    assert body["detail"].startswith("Function '")
    assert "': Not found for account '" in body["detail"]


@pytest.mark.kimi(dialect="nvidia")
def test_nvidias_rate_limit_says_little(kimi_server):
    kimi_server.script(rate_limited())

    assert chat(kimi_server).json == {"status": 429, "title": "Too Many Requests"}


@pytest.mark.kimi(dialect="moonshot")
def test_quota_and_rate_are_told_apart(kimi_server):
    kimi_server.script(out_of_quota(), rate_limited())

    assert chat(kimi_server).json["error"]["type"] == "exceeded_current_quota_error"
    assert chat(kimi_server).json["error"]["type"] == "rate_limit_reached_error"


@pytest.mark.kimi(dialect="moonshot")
def test_a_content_filter(kimi_server):
    kimi_server.script(content_filtered(), say("a"), finish("content_filter"))

    assert chat(kimi_server).json["error"]["type"] == "content_filter"
    assert chat(kimi_server).json["choices"][0]["finish_reason"] == "content_filter"


@every_dialect
@pytest.mark.parametrize("status", [413, 504])
def test_errors_without_words_of_their_own(kimi_server_factory, dialect, status):
    server = kimi_server_factory(dialect)
    server.script(error(status, "why"))

    answer = chat(server)

    assert (answer.status, answer.error) == (status, "why")


def test_retry_after_in_seconds_and_as_a_date(kimi_server):
    date = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    kimi_server.script(rate_limited(2), rate_limited(0.5), rate_limited(date))

    headers = [chat(kimi_server).headers["Retry-After"] for _ in range(3)]

    assert headers == ["2", "0.5", "Wed, 02 Jan 2030 03:04:05 GMT"]


def test_bodies_and_headers_of_ones_own(kimi_server):
    kimi_server.script(
        server_error(502, html=True),
        error(400, body={"odd": "é"}, headers={"X-Request-Id": "abc"}),
    )

    page, odd = chat(kimi_server), chat(kimi_server)

    assert page.headers["Content-Type"] == "text/html"
    assert page.body.startswith(b"<html>")
    assert odd.json == {"odd": "é"}
    assert odd.headers["X-Request-Id"] == "abc"


@pytest.mark.parametrize("ask", [chat, stream])
def test_drop_closes_the_connection(kimi_server, ask):
    kimi_server.script(drop())

    with pytest.raises(http.client.RemoteDisconnected):
        ask(kimi_server)
    assert kimi_server.exchanges[0].outcome == "cut"


@pytest.mark.parametrize("ask", [chat, stream])
def test_hanging_for_a_while_delays_the_reply(kimi_server, ask):
    kimi_server.script(hang(0.05), say("late"))
    began = time.monotonic()

    assert ask(kimi_server).status == 200
    assert time.monotonic() - began >= 0.05


def hung_request(server, **fields):
    """Send a request and leave; give the connection."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT)
    connection.request("POST", "/v1/chat/completions", json.dumps(chat_body(server, **fields)))
    return connection


def wait_until(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    msg = "it did not come to pass"
    raise AssertionError(msg)


def test_a_client_that_leaves_ends_its_request(kimi_server):
    kimi_server.script(hang(), say("never"))

    connection = hung_request(kimi_server)
    wait_until(lambda: kimi_server.in_flight == 1)
    connection.close()

    wait_until(lambda: kimi_server.in_flight == 0)
    assert kimi_server.exchanges[0].outcome == "client_left"


@pytest.mark.parametrize("fault", [hang(), pause()])
def test_a_server_that_stops_ends_what_hangs(kimi_server_factory, fault):
    server = kimi_server_factory()
    server.script(turn(fault, say("never")))
    connection = hung_request(server, stream=True)
    wait_until(lambda: server.in_flight == 1)

    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopping.join(TIMEOUT)

    assert not stopping.is_alive()
    connection.close()


def test_slow_first_token_comes_after_the_headers(kimi_server):
    kimi_server.script(slow_first_token(60), say("never"))
    connection = hung_request(kimi_server, stream=True)

    reply = connection.getresponse()

    assert reply.status == 200
    assert kimi_server.in_flight == 1
    reply.close()
    connection.close()


def test_a_pause_is_where_it_was_written(kimi_server):
    kimi_server.script(turn(say("before"), pause(60), say("after")))
    connection = hung_request(kimi_server, stream=True)
    reply = connection.getresponse()

    seen = b""
    while b"before" not in seen:
        seen += reply.read1()

    assert b"after" not in seen
    assert kimi_server.in_flight == 1
    reply.close()
    connection.close()


@every_dialect
def test_a_cut_after_bytes(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect)
    server.script(*[turn(say("Hello there"), cut(after_bytes=n)) for n in (0, 1, 40, 300)])

    assert [len(stream_until_cut(server)) for _ in range(4)] == [0, 1, 40, 300]


def test_a_cut_after_events(kimi_server_factory):
    server = kimi_server_factory(chunk_chars=1)
    server.script(say("abcdef"), cut(after_chunks=3))

    received = stream_until_cut(server)

    assert received.count(b"data: ") == 3
    assert received.endswith(b"\n\n")
    assert server.exchanges[0].outcome == "cut"


def test_a_cut_at_its_place(kimi_server):
    kimi_server.script(turn(say("before"), cut(), say("after")))

    received = stream_until_cut(kimi_server)

    assert b"before" in received
    assert b"after" not in received


@pytest.mark.parametrize("fault", [cut(), cut(after_bytes=20)])
def test_a_cut_body_that_is_no_stream(kimi_server, fault):
    kimi_server.script(say("Hello"), fault)

    with pytest.raises(http.client.IncompleteRead) as caught:
        chat(kimi_server)

    assert caught.value.partial.startswith(b'{"id":')


@every_dialect
def test_a_clean_early_end(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect)
    server.script(say("half an"), end_early(), say("half an"), end_early(done=True))

    silent, done = stream(server), stream(server)

    assert silent.text("content") == done.text("content") == "half an"
    assert silent.events[-1] != "[DONE]"
    assert done.events[-1] == "[DONE]"
    for answer in (silent, done):
        reasons = [e["choices"][0]["finish_reason"] for e in answer.events if e != "[DONE]"]
        assert set(reasons) == {None}


def test_an_error_event_then_done(kimi_server):
    kimi_server.script(think("hm"), error_event("engine died"))

    answer = stream(kimi_server)

    assert answer.status == 200
    assert answer.events[-2]["error"]["message"] == "engine died"
    assert answer.events[-2]["error"]["code"] == 500
    assert answer.events[-1] == "[DONE]"


def test_an_error_event_is_a_500_when_not_streamed(kimi_server):
    kimi_server.script(say("a"), error_event("engine died"))

    answer = chat(kimi_server)

    assert answer.status == 500
    assert answer.error == "engine died"


def test_malformed_json_in_a_stream(kimi_server):
    kimi_server.script(turn(say("a"), malformed_chunk(), say("b")))

    lines = [line for line in stream(kimi_server).body.split(b"\n\n") if line]

    def parses(line):
        try:
            json.loads(line.removeprefix(b"data: "))
        except ValueError:
            return False
        return True

    broken = [line for line in lines[:-1] if not parses(line)]
    assert len(broken) == 1
    assert lines[-1] == b"data: [DONE]"


def test_malformed_json_without_a_stream(kimi_server):
    kimi_server.script(say("a"), malformed_chunk())

    answer = chat(kimi_server)

    assert answer.status == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(answer.body)


def test_comments_and_bytes_of_ones_own(kimi_server):
    kimi_server.script(turn(comment("ping {"), say("a"), raw("event: x\nid: 1\n\n")))

    answer = stream(kimi_server)

    assert b": ping {\n\n" in answer.body
    assert b"event: x\nid: 1\n\n" in answer.body
    assert answer.text("content") == "a"


def test_other_legal_forms_of_events(kimi_server):
    kimi_server.script(
        say("a"),
        framed(newline="\r\n", event="message", comment="hi"),
        say("b"),
        framed(newline="\r"),
    )

    first, second = stream(kimi_server).body, stream(kimi_server).body

    assert first.startswith(b": hi\r\nevent: message\r\ndata: {")
    assert first.endswith(b"data: [DONE]\r\n\r\n")
    assert b"\n" not in second
    assert second.endswith(b"data: [DONE]\r\r")


def test_giant_lines(kimi_server):
    kimi_server.script(say("x" * 2_000_000), chunked(None))

    deltas = stream(kimi_server).deltas

    assert max(len(delta.get("content") or "") for delta in deltas) == 2_000_000


def test_other_piece_sizes(kimi_server):
    kimi_server.script(say("abcdef"), chunked(2))

    pieces = [delta["content"] for delta in stream(kimi_server).deltas if delta.get("content")]

    assert pieces == ["ab", "cd", "ef"]


@every_dialect
def test_a_lying_finish_reason(kimi_server_factory, dialect):
    server = kimi_server_factory(dialect)
    server.script(say("a"), finish("tool_calls"), say("a"), finish(None))

    lying = stream(server)
    none = stream(server)

    assert lying.events[-2]["choices"][0]["finish_reason"] == "tool_calls"
    assert {e["choices"][0]["finish_reason"] for e in none.events[:-1]} == {None}
    assert none.events[-1] == "[DONE]"


def test_an_empty_reply_and_one_of_thoughts_only(kimi_server):
    kimi_server.script(turn(), turn(think("hm"), finish("length")))

    empty, thoughts = chat(kimi_server), chat(kimi_server)

    assert empty.message["content"] is None
    assert empty.json["choices"][0]["finish_reason"] == "stop"
    assert thoughts.message["content"] is None
    assert thoughts.message["reasoning"] == "hm"
    assert thoughts.json["choices"][0]["finish_reason"] == "length"


@pytest.mark.kimi(dialect="nvidia")
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ["/v1/status/", "/v2/nvcf/pexec/status/"])
def test_polling(kimi_server, streamed, path):
    kimi_server.script(accepted(2), say("at last"))

    first = chat(kimi_server, stream=streamed)
    status_path = path + first.headers["NVCF-REQID"]
    polls = [request(kimi_server, status_path) for _ in range(3)]

    assert [first.status, *(poll.status for poll in polls)] == [202, 202, 202, 200]
    assert first.body == b""
    assert first.headers["NVCF-STATUS"] == "pending-evaluation"
    last = polls[-1]
    content = last.text("content") if streamed else last.message["content"]
    assert content == "at last"
    assert request(kimi_server, status_path).status == 404


def test_faults_of_the_whole_server(kimi_server_factory):
    server = kimi_server_factory(faults=[finish("length"), chunked(1)])
    server.script(say("ab"), say("cd"), finish("stop"))

    first, second = stream(server), stream(server)

    assert [d["content"] for d in first.deltas if d.get("content")] == ["a", "b"]
    assert first.events[-2]["choices"][0]["finish_reason"] == "length"
    assert second.events[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("fault", [error_event("always"), end_early()])
def test_an_end_of_the_whole_server_comes_last(kimi_server_factory, fault):
    server = kimi_server_factory(faults=[fault])
    server.script(say("first"))

    assert b'"content":"first"' in stream(server).body


def test_an_error_of_the_whole_server(kimi_server_factory):
    server = kimi_server_factory(faults=[rate_limited(1)])

    assert [chat(server).status for _ in range(3)] == [429] * 3
