"""Each content goes up once; who waits is told, or goes on by itself."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading

import pytest

from langchain_kimi.delivery.recent import Recent
from langchain_kimi.delivery.uploads import KEPT, Upload, Uploads
from langchain_kimi.errors import KimiServerError

from .helpers import text64

FOREVER = 1e9


def upload(mark: str = "a") -> Upload:
    return Upload(kind="image", mime_type="image/png", text=text64(mark.encode()))


def test_an_id_is_known_after_the_first_time() -> None:
    uploads = Uploads()
    sent: list[str] = []

    def send() -> str:
        sent.append("x")
        return f"id-{len(sent)}"

    assert [uploads.once(upload(), send, lifetime=FOREVER) for _ in range(3)] == ["id-1"] * 3
    assert uploads.once(upload("b"), send, lifetime=FOREVER) == "id-2"


def test_ids_are_bounded() -> None:
    uploads = Uploads()
    for number in range(KEPT + 50):
        uploads.once(upload(str(number)), lambda: "id", lifetime=FOREVER)
    assert len(uploads) == KEPT


def test_threads_that_wait_get_the_error_of_the_one_that_sends() -> None:
    uploads = Uploads()
    begun, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    def send() -> str:
        begun.set()
        go_on.wait(10)
        raise KimiServerError("refused")

    def never() -> str:
        raise AssertionError("a second upload")

    def call(how: object) -> None:
        try:
            uploads.once(upload(), how, lifetime=FOREVER)  # type: ignore[arg-type]
        except KimiServerError as error:
            errors.append(error)

    first = threading.Thread(target=call, args=(send,))
    first.start()
    assert begun.wait(10)
    claimed = threading.Event()
    real = uploads._claim

    def claiming(*args: object) -> object:
        found = real(*args)  # type: ignore[arg-type]
        claimed.set()
        return found

    uploads._claim = claiming  # type: ignore[method-assign, assignment]
    second = threading.Thread(target=call, args=(never,))
    second.start()
    assert claimed.wait(10)
    go_on.set()
    first.join()
    second.join()
    assert [type(error) for error in errors] == [KimiServerError, KimiServerError]
    assert uploads.once(upload(), lambda: "later", lifetime=FOREVER) == "later"


async def test_a_task_that_waits_goes_on_when_the_sender_is_cancelled() -> None:
    uploads = Uploads()
    begun = asyncio.Event()

    async def hang() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def send() -> str:
        return "second"

    first = asyncio.create_task(uploads.aonce(upload(), hang, lifetime=FOREVER))
    await begun.wait()
    second = asyncio.create_task(uploads.aonce(upload(), send, lifetime=FOREVER))
    await asyncio.sleep(0)
    assert not second.done()
    first.cancel()
    assert await second == "second"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_waiting_task_can_be_cancelled_without_harm_to_the_sender() -> None:
    uploads = Uploads()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def send() -> str:
        begun.set()
        await go_on.wait()
        return "id"

    async def never() -> str:
        raise AssertionError("a second upload")

    first = asyncio.create_task(uploads.aonce(upload(), send, lifetime=FOREVER))
    await begun.wait()
    waiting = asyncio.create_task(uploads.aonce(upload(), never, lifetime=FOREVER))
    other = asyncio.create_task(uploads.aonce(upload(), never, lifetime=FOREVER))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    assert await first == await other == "id"


async def test_a_blocking_call_does_not_wait_for_its_own_loop() -> None:
    uploads = Uploads()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def send() -> str:
        begun.set()
        await go_on.wait()
        return "by the loop"

    task = asyncio.create_task(uploads.aonce(upload(), send, lifetime=FOREVER))
    await begun.wait()
    assert uploads.once(upload(), lambda: "by hand", lifetime=FOREVER) == "by hand"
    go_on.set()
    assert await task == "by the loop"


async def test_a_task_waits_for_a_thread() -> None:
    uploads = Uploads()
    begun, go_on = threading.Event(), threading.Event()

    def send() -> str:
        begun.set()
        go_on.wait(10)
        return "by a thread"

    async def never() -> str:
        raise AssertionError("a second upload")

    thread = asyncio.create_task(asyncio.to_thread(uploads.once, upload(), send, lifetime=FOREVER))
    assert await asyncio.to_thread(begun.wait, 10)
    waiting = asyncio.create_task(uploads.aonce(upload(), never, lifetime=FOREVER))
    await asyncio.sleep(0)
    go_on.set()
    assert await waiting == await thread == "by a thread"


def test_copies_and_pickles_start_empty() -> None:
    uploads = Uploads()
    uploads.once(upload(), lambda: "id", lifetime=FOREVER)
    uploads.refused = True
    for twin in (copy.deepcopy(uploads), pickle.loads(pickle.dumps(uploads))):
        assert len(twin) == 0
        assert not twin.refused


def test_recent_values_stay_within_their_weight() -> None:
    recent: Recent[str] = Recent(10)
    recent.put("a", "A", weight=4)
    recent.put("b", "B", weight=4)
    assert recent.get("a") == "A"
    recent.put("c", "C", weight=4)
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == ("A", None, "C")
    recent.put("huge", "H", weight=11)
    recent.put("a", "AA", weight=6)
    assert recent.get("huge") is None
    assert (recent.weight, len(recent)) == (10, 2)
    recent.clear()
    assert (recent.weight, len(recent), recent.get("a")) == (0, 0, None)
