"""Real workers in processes of their own: killed, drained, asleep."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from traceback import format_exception
from typing import TYPE_CHECKING

import pytest

from langchain_kimi.workers import Queue, QueueUnavailableError, engine
from langchain_kimi.workers.place import Place
from tests.workers.conftest import Model, until

if TYPE_CHECKING:
    from langchain_kimi.testing import KimiServer
    from tests.swarm.conftest import PostgresServer
    from tests.workers.conftest import Crew

pytestmark = pytest.mark.timeout(120)


def test_a_worker_that_is_killed_under_load_loses_nothing(
    database: str, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    model = Model(0.15)
    kimi.respond_with(model)
    crew = crew_of(database)
    with Queue(database) as queue:
        runs = [queue.submit(f"mark word-{n}", run=f"run-{n}") for n in range(12)]
        first, second = crew.hire(), crew.hire()
        until(lambda: len(crew.lines("end")) >= 3)
        until(lambda: _held_by(queue, first.pid))
        first.kill()
        first.wait(10)
        killed = datetime.now(UTC)
        ended = [queue.wait(run, seconds=40) for run in runs]

    assert all(one.outcome and one.outcome["status"] == "done" for one in ended)
    assert all(
        f"-{second.pid}-" in str(one.worker) for one in ended if one.ended and one.ended > killed
    )
    assert sorted(crew.lines("end")) == sorted(f"{run} done" for run in runs)
    steps = Counter(model.calls)
    assert set(steps) == {f"word-{n}" for n in range(12)}
    # four steps each, and of the killed worker's three runs at most the step in flight again
    assert set(steps.values()) <= {4, 5}
    assert sum(steps.values()) <= 4 * 12 + 3


async def test_workers_that_begin_together_make_the_tables_once(database: str) -> None:
    async def opened(place: Place) -> None:
        async with place.stores():
            pass

    await asyncio.gather(*(opened(Place(database)) for _ in range(6)))


def _held_by(queue: Queue, pid: int) -> set[str]:
    return {r.id for r in queue.runs() if r.state == "running" and f"-{pid}-" in str(r.worker)}


def test_sigterm_drains(database: str, crew_of: Callable[[str], Crew], kimi: KimiServer) -> None:
    model = Model(0.3)
    kimi.respond_with(model)
    crew = crew_of(database)
    with Queue(database) as queue:
        runs = [queue.submit(f"mark word-{n}", run=f"run-{n}") for n in range(4)]
        worker = crew.hire(concurrency=2)
        until(lambda: len(_held_by(queue, worker.pid)) == 2)
        held = _held_by(queue, worker.pid)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        states = {one.id: one.state for one in queue.runs()}
        assert {run for run in runs if states[run] == "ended"} == held
        assert {run for run in runs if states[run] == "queued"} == set(runs) - held
        crew.hire()
        assert all(queue.wait(run, seconds=30).state == "ended" for run in runs)
    assert len(crew.lines("end")) == 4


def test_what_does_not_end_in_time_goes_on_with_the_next(
    tmp_path: Path, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    model = Model(2.0)
    kimi.respond_with(model)
    crew = crew_of(str(tmp_path / "folder"))
    with Queue(tmp_path / "folder") as queue:
        run = queue.submit("mark word-1", run="run-1")
        worker = crew.hire(grace=0)
        until(lambda: len(model.calls) == 2)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        assert queue.status(run).state == "running"
        model.seconds = 0.0
        crew.hire()
        ended = queue.wait(run, seconds=30)
    assert ended.outcome is not None
    assert ended.outcome["result"] == "word-1 is marked."
    assert crew.lines("mark") == ["word-1"]
    assert crew.lines("end") == ["run-1 done"]
    assert len(model.calls) <= 5


def test_a_schedule_that_was_slept_through_is_caught_up_once(
    tmp_path: Path, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    kimi.respond_with(Model())
    folder = tmp_path / "folder"
    crew = crew_of(str(folder))
    with Queue(folder) as queue:
        queue.schedule("yearly", "0 6 1 1 *", "mark word-7")
        _made_earlier(queue, days=3 * 366)
        queue.schedule("yearly", "0 6 1 1 *", "mark word-8")
        _never_due(queue)
        worker = crew.hire(grace=1)
        (run,) = until(queue.runs)
        assert queue.wait(run.id, seconds=30).state == "ended"
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(20) == 0
        crew.hire()
        queue.wait(queue.submit("mark word-9"), seconds=30)
        assert [one.task for one in queue.runs()] == ["mark word-9", "mark word-8"]


def _made_earlier(queue: Queue, days: float) -> None:
    """Let a schedule be as old as if no worker had been there for years."""
    client = queue._client
    (kept,) = client.list_schedules()
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    client.delete_schedule(kept["schedule_name"])
    client.create_schedule(
        schedule_name=kept["schedule_name"],
        workflow_name=kept["workflow_name"],
        schedule=kept["schedule"],
        context={**kept["context"], "since": since},
        queue_name=kept["queue_name"],
    )


def _never_due(queue: Queue) -> None:
    """Keep a schedule that today's `Queue.schedule` refuses: it must stop no worker."""
    (kept,) = queue._client.list_schedules()
    queue._client.create_schedule(
        schedule_name="never",
        workflow_name=kept["workflow_name"],
        schedule="0 0 30 2 *",
        context=kept["context"],
        queue_name=kept["queue_name"],
    )


def test_a_run_that_kills_its_workers_is_given_up_and_its_neighbour_is_not(
    tmp_path: Path, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    kimi.respond_with(Model(0.2))
    crew = crew_of(str(tmp_path / "folder"))
    with Queue(tmp_path / "folder") as queue:
        poison = queue.submit("mark word-666", run="poison")
        neighbour = queue.submit("mark word-1", run="neighbour")
        while queue.status(poison).state != "failed":
            worker = crew.hire()
            until(lambda: worker.poll() is not None or queue.status(poison).state == "failed")  # noqa: B023
        assert queue.wait(neighbour, seconds=30).state == "ended"
        assert "2 workers died with the run" in str(queue.status(poison).error)
    assert sorted(crew.lines("end")) == ["neighbour done", "poison failed"]
    assert len(crew.started) == 3


def test_a_blocked_worker_ends_and_what_was_cancelled_meanwhile_ends_with_the_next(
    tmp_path: Path,
    crew_of: Callable[[str], Crew],
    kimi: KimiServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("langchain_kimi.workers.asking._ANSWER_SECONDS", 0.3)
    model = Model()
    kimi.respond_with(model)
    crew = crew_of(str(tmp_path / "folder"))
    with Queue(tmp_path / "folder") as queue:
        run = queue.submit("mark word-3600", run="run-1")
        worker = crew.hire(grace=3600)
        until(lambda: crew.lines("block"))
        worker.send_signal(signal.SIGTERM)
        until(lambda: queue._client.list_workflows(workflow_ids=[run])[0].attributes)
        worker.send_signal(signal.SIGTERM)  # does not wait an hour for the tool
        assert worker.wait(30) == 0
        queue.cancel(run)
        calls = len(model.calls)
        crew.hire()
        ended = queue.wait(run, seconds=30)
    assert ended.outcome is not None
    assert ended.outcome["status"] == "cancelled"
    assert len(model.calls) <= calls + 1


def test_a_worker_that_drains_is_asked_about_its_run_and_told_to_cancel(
    database: str, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    model = Model()
    kimi.respond_with(model)
    crew = crew_of(database)
    with Queue(database) as queue:
        run = queue.submit("mark word-3600", run="run-1")
        worker = crew.hire(grace=60)
        until(lambda: crew.lines("block"))
        worker.send_signal(signal.SIGTERM)
        until(lambda: queue._client.list_workflows(workflow_ids=[run])[0].attributes)
        (agent,) = queue.look(run)["agents"]
        assert agent["status"] == "running"
        queue.send(run, "Make haste.")
        with pytest.raises(ValueError, match="no sub-agent 'nobody'"):
            queue.cancel(run, "nobody")
        queue.cancel(run, agent["id"])
        told = until(lambda: [str(one) for one in kimi.requests if "Make haste." in str(one)])
        assert told[0].count("Make haste.") == 1
        queue.cancel(run)
        ended = queue.wait(run, seconds=30)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert not queue._client.list_workflows(name=engine.CONTROL), "questions are not left"
    assert ended.outcome is not None
    assert ended.outcome["status"] == "cancelled"


def test_a_folder_is_for_one_worker(
    tmp_path: Path, crew_of: Callable[[str], Crew], kimi: KimiServer
) -> None:
    kimi.respond_with(Model())
    crew = crew_of(str(tmp_path / "folder"))
    crew.hire()
    with Queue(tmp_path / "folder") as queue:
        queue.wait(queue.submit("mark word-1"), seconds=30)
    assert crew.hire().wait(20) != 0


def test_a_worker_that_loses_its_database_ends_and_the_next_goes_on(
    postgres_server: PostgresServer,
    database: str,
    crew_of: Callable[[str], Crew],
    kimi: KimiServer,
) -> None:
    model = Model(3.0)
    kimi.respond_with(model)
    crew = crew_of(database)
    with Queue(database) as queue:
        run = queue.submit("mark word-1", run="run-1")
    worker = crew.hire()
    until(lambda: len(model.calls) == 2)
    postgres_server.stop()
    try:
        assert worker.wait(60) != 0
    finally:
        postgres_server.start()
    model.seconds = 0.0
    crew.hire()
    with Queue(database) as queue:
        assert queue.wait(run, seconds=40).state == "ended"
    assert crew.lines("end") == ["run-1 done"]
    assert crew.lines("mark") == ["word-1"]


def test_who_asks_while_the_database_is_away_is_told_so_and_a_wait_goes_on(
    postgres_server: PostgresServer, database: str
) -> None:
    asks: list[Callable[[Queue], object]] = [
        lambda queue: queue.submit("mark word-2"),
        lambda queue: queue.status("run-1"),
        lambda queue: queue.runs(),
        lambda queue: queue.waiting(),
        lambda queue: queue.cancel("run-1"),
        lambda queue: queue.pause("run-1"),
        lambda queue: queue.resume("run-1"),
        lambda queue: queue.send("run-1", "x"),
        lambda queue: queue.answer("run-1", {"x": {"type": "approve"}}),
        lambda queue: queue.look("run-1"),
        lambda queue: queue.prune(older_than=1),
        lambda queue: queue.schedule("x", "0 6 * * *", "mark word-3"),
        lambda queue: queue.schedules(),
        lambda queue: queue.unschedule("x"),
    ]
    url = database.replace("test@", "test:s3cret-word@")
    with Queue(url) as queue, ThreadPoolExecutor() as pool:
        queue.submit("mark word-1", run="run-1")
        postgres_server.stop()
        try:
            for ask in asks:
                with pytest.raises(QueueUnavailableError, match="See whether it runs") as told:
                    ask(queue)
                assert "s3cret" not in "".join(format_exception(told.value))
            waiting = pool.submit(queue.wait, "run-1", seconds=30)
            with pytest.raises(TimeoutError):
                waiting.result(1)
        finally:
            postgres_server.start()
        queue.cancel("run-1")
        assert waiting.result(30).state == "cancelled"
