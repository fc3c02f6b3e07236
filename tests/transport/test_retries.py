"""Which failures are repeated, and when."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from langchain_kimi import errors
from langchain_kimi.transport import RetryPolicy, Transport

from .raw_server import HELLO, Caller, Exchange, RawServer, answers, as_json, http

Serve = Callable[..., RawServer]
Connect = Callable[..., Transport]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits between tries in place of waiting."""
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr("asyncio.sleep", sleep)
    return waited


@pytest.mark.parametrize("status", sorted(errors.TRANSIENT_STATUSES))
async def test_repeats_what_may_pass(
    serve: Serve, connect: Connect, caller: Caller, status: int
) -> None:
    server = serve(answers(as_json({}, f"{status} X"), as_json({}, f"{status} X"), as_json(HELLO)))
    assert (await caller.post(connect(server.url), {"n": 7})).data == HELLO
    assert [request.body for request in server.requests] == [b'{"n":7}'] * 3
    assert server.connections == 1


@pytest.mark.parametrize("max_retries", [0, 1, 4])
async def test_gives_up_after_max_retries_with_the_last_error(
    serve: Serve, connect: Connect, caller: Caller, max_retries: int
) -> None:
    server = serve(answers(as_json({"detail": "busy"}, "503 Unavailable")))
    with pytest.raises(errors.KimiServerError, match="busy") as caught:
        await caller.post(connect(server.url, max_retries=max_retries))
    assert caught.value.status == 503
    assert len(server.requests) == 1 + max_retries


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422, 501, 505])
async def test_does_not_repeat_what_stays(
    serve: Serve, connect: Connect, caller: Caller, status: int
) -> None:
    server = serve(answers(as_json({}, f"{status} X")))
    with pytest.raises(errors.KimiError) as caught:
        await caller.post(connect(server.url))
    assert not caught.value.is_retryable
    assert len(server.requests) == 1


async def test_does_not_repeat_a_used_up_quota(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    error = {"error": {"type": "exceeded_current_quota_error", "message": "top up"}}
    server = serve(answers(as_json(error, "429 Too Many Requests", Retry_After="1")))
    with pytest.raises(errors.KimiQuotaExceededError):
        await caller.post(connect(server.url))
    assert len(server.requests) == 1


async def test_waits_as_long_as_the_server_asks(
    serve: Serve, connect: Connect, caller: Caller, waits: list[float]
) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=30)
    server = serve(
        answers(
            http(b"", "429 X", Retry_After="7"),
            http(b"", "503 X", Retry_After=format_datetime(moment, usegmt=True)),
            as_json(HELLO),
        )
    )
    await caller.post(connect(server.url))
    first, second = (wait for wait in waits if wait > 0.02)
    assert 7.0 <= first < 7.1
    assert 20.0 < second < 31.0


async def test_a_wait_that_is_too_long_raises_at_once(
    serve: Serve, connect: Connect, caller: Caller
) -> None:
    server = serve(answers(http(b"", "429 X", Retry_After="3600")))
    with pytest.raises(errors.KimiRateLimitError, match="wait 3600 s") as caught:
        await caller.post(connect(server.url))
    assert caught.value.retry_after == 3600
    assert len(server.requests) == 1


@pytest.mark.parametrize("where", ["before", "head"])
async def test_repeats_a_connection_that_breaks(
    serve: Serve, connect: Connect, caller: Caller, where: str
) -> None:
    left = [1, 1]

    async def handler(exchange: Exchange) -> None:
        if left:
            left.pop()
            if where == "head":
                await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Le")
            exchange.cut()
        else:
            await exchange.send(as_json(HELLO))

    server = serve(handler)
    assert (await caller.post(connect(server.url))).data == HELLO
    assert len(server.requests) == 3


async def test_repeats_a_reply_cut_short(serve: Serve, connect: Connect, caller: Caller) -> None:
    left = [1]

    async def handler(exchange: Exchange) -> None:
        if left:
            left.pop()
            await exchange.send(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"choi')
            exchange.cut()
        else:
            await exchange.send(as_json(HELLO))

    server = serve(handler)
    assert (await caller.post(connect(server.url))).data == HELLO


@pytest.mark.parametrize("secure", [False, True])
async def test_a_dropped_kept_connection_is_no_failure(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    tls: ssl.SSLContext,
    ca_file: str,
    secure: bool,
) -> None:
    """The server closes after each reply without saying so, as after its keep-alive timeout."""

    async def handler(exchange: Exchange) -> None:
        first = sum(one.connection == exchange.request.connection for one in server.requests) == 1
        if first:
            await exchange.send(as_json(HELLO))
        else:
            exchange.cut()

    server = serve(handler, tls if secure else None)
    transport = connect(server.url, verify_ssl=ca_file, max_retries=0)
    for _ in range(4):
        assert (await caller.post(transport)).data == HELLO
    assert server.connections == 4


@pytest.mark.parametrize("secure", [False, True])
async def test_a_fresh_connection_that_breaks_is_a_failure(
    serve: Serve,
    connect: Connect,
    caller: Caller,
    tls: ssl.SSLContext,
    ca_file: str,
    secure: bool,
) -> None:
    async def handler(exchange: Exchange) -> None:
        exchange.cut()

    server = serve(handler, tls if secure else None)
    with pytest.raises(errors.KimiConnectionError):
        await caller.post(connect(server.url, verify_ssl=ca_file, max_retries=0))
    assert len(server.requests) == 1


def fails(*failures: errors.KimiError) -> Callable[[], str]:
    left = list(failures)

    def attempt() -> str:
        if left:
            raise left.pop(0)
        return "done"

    return attempt


def busy(**details: Any) -> errors.KimiServerError:
    return errors.KimiServerError("busy", status=503, **details)


class Clock:
    """Stands for the module `time` where it is read, and nowhere else: other threads look too."""

    def __init__(self, *readings: float) -> None:
        self._readings = list(readings)

    def monotonic(self) -> float:
        return self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]


def test_waits_grow_and_are_spread(waits: list[float]) -> None:
    policy = RetryPolicy(max_retries=5, backoff=1.0, max_wait=6.0)
    assert policy.run(fails(*(busy() for _ in range(5)))) == "done"
    for wait, longest in zip(waits, [1, 2, 4, 6, 6], strict=True):
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == 5


def test_the_total_time_is_bounded(waits: list[float]) -> None:
    policy = RetryPolicy(max_retries=99, backoff=1.0, total=0.4)
    with pytest.raises(errors.KimiServerError):
        policy.run(fails(*(busy() for _ in range(99))))
    assert waits == []


def test_a_slow_first_try_uses_up_the_total_time(
    waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_kimi.transport.retry.time", Clock(0.0, 3600.0))
    slow = errors.KimiTimeoutError("slow")
    with pytest.raises(errors.KimiTimeoutError):
        RetryPolicy(max_retries=2).run(fails(slow))
    assert waits == []


@pytest.mark.parametrize(("alive", "ends"), [(700.0, "done"), (100.0, None), (None, None)])
def test_the_total_time_begins_anew_while_the_server_says_it_works(
    waits: list[float], monkeypatch: pytest.MonkeyPatch, alive: float | None, ends: str | None
) -> None:
    monkeypatch.setattr("langchain_kimi.transport.retry.time", Clock(0.0, 1000.0))
    policy = RetryPolicy(max_retries=2, total=600.0)
    attempt = fails(busy(), busy())
    if ends is None:
        with pytest.raises(errors.KimiServerError):
            policy.run(attempt, lambda: alive)
    else:
        assert policy.run(attempt, lambda: alive) == ends


def test_other_exceptions_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        RetryPolicy().run(lambda: 1 // 0)
