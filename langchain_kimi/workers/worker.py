"""`Worker`: takes runs from the queue, and over from workers that died."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from contextvars import Context
from math import ceil
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSClient
from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_kimi.swarm import Journal
from langchain_kimi.workers import engine, schedules
from langchain_kimi.workers.answering import Answering
from langchain_kimi.workers.place import Place, Presence
from langchain_kimi.workers.runner import Observer, Runner
from langchain_kimi.workers.takeover import note_leaving, take_over, wishes_of
from langchain_kimi.workers.task import Task
from langchain_kimi.workers.telling import Notify, Telling, failed
from langchain_kimi.workers.threads import Threads

logger = logging.getLogger(__name__)

AgentOf = Callable[[Journal, BaseCheckpointSaver[Any]], Any]

LOOK_SECONDS = 1.0
"""How often a worker looks for runs of workers that are gone, and whether it is seen itself."""

QUEUE_SECONDS = 0.25
"""How often a worker looks into the queue."""

_DRAIN_SECONDS = 0.5
"""How often one that drains looks, and what it is asked is answered at the second look."""

_CHECK_SECONDS = 15.0


class WorkerLostError(ConnectionError):
    """The database does not see this worker any more: others may take its runs over."""


class _Left(BaseException):
    """A run is left as it is on disk: not for the engine to keep as the run's outcome."""


class Worker:
    """Works on the runs of a queue, around the clock.

    One for each process, as DBOS is. Its runs lie in the journal; the queue knows of each only
    that it waits, is at work with a worker, or came to its end.
    """

    def __init__(
        self,
        agent: AgentOf,
        where: str | Path = ".langchain-kimi",
        *,
        concurrency: int = 4,
        grace: float = 30.0,
        notify: Notify | None = None,
        private_hosts: Sequence[str] = (),
        observe: Observer | None = None,
        patience: float = 3600.0,
        ends_process: bool = False,
    ) -> None:
        """Set it up; nothing is opened before `serve`.

        Args:
            agent: Makes the background agent, with the journal and the checkpointer given.
            where: A folder, for one worker, or `postgresql://…`, for several.
            concurrency: Runs at a time. It is a setting of the queue: the worker that came last
                says it for all.
            grace: Seconds that runs may take to their end when the worker is to stop; what is
                left goes on with another worker, or with the next.
            notify: Called with each run's end, in a thread; what it raises is logged.
            private_hosts: Hosts of webhooks that may have private addresses, as `host:port`.
            observe: Called with each event of each run.
            patience: Seconds that a run waits for what passes, such as an endpoint that is away,
                before it fails.
            ends_process: Whether the process may be ended where a tool or a connection still
                blocks a thread when all else is over. Without it `serve` waits for the thread,
                for a run must not go on elsewhere while a tool of it works here.

        Raises:
            ValueError: For a concurrency below 1, or an unknown kind of place.
        """
        if concurrency < 1:
            msg = f"concurrency={concurrency}: at least one run at a time"
            raise ValueError(msg)
        self.name = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._agent = agent
        self._place = Place(where)
        self._concurrency = concurrency
        self._grace = grace
        self._telling = Telling(notify, tuple(private_hosts))
        self._observe = observe
        self._patience = patience
        self._ends_process = ends_process
        self._stop: asyncio.Event | None = None
        self._hurry: asyncio.Event | None = None

    async def serve(self) -> None:
        """Work until `stop`, SIGTERM or SIGINT; then take no more, and wait for what runs.

        A second signal leaves at once what runs. The loop's default executor is replaced.

        Raises:
            OSError: The folder has a worker already, or the database cannot be reached.
            WorkerLostError: The database was lost. The runs are on disk; start the worker again.
        """
        loop = asyncio.get_running_loop()
        self._stop, self._hurry = asyncio.Event(), asyncio.Event()
        loop.set_default_executor(threads := Threads())
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, ValueError, RuntimeError):  # not in the main thread
                loop.add_signal_handler(number, self.stop)
        presence = await asyncio.to_thread(self._place.enter, self.name)
        code = 1
        try:
            async with self._place.stores() as (journal, saver):
                runner = Runner(self._agent(journal, saver), self._observe, patience=self._patience)
                client = await asyncio.to_thread(engine.client, self._place)
                try:
                    await self._work(presence, runner, client)
                finally:
                    await asyncio.to_thread(client.destroy)
            code = 0
        finally:
            await threads.ended(code, ends_process=self._ends_process)
            presence.leave()

    async def _work(self, presence: Presence, runner: Runner, client: DBOSClient) -> None:
        await asyncio.to_thread(self._launch, runner, asyncio.get_running_loop())
        grace = 0.0
        try:
            await self._watch(presence, runner, client)
            grace = self._grace
        finally:
            await self._end(presence, runner, client, grace=grace)

    def stop(self) -> None:
        """Let `serve` come to its end, as SIGTERM does; to be called in its loop."""
        if self._stop is not None and self._hurry is not None:
            (self._hurry if self._stop.is_set() else self._stop).set()

    # --- the engine ---------------------------------------------------------------------------

    def _launch(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        DBOS(config=engine.configuration(self._place, self.name))
        self._register(runner, loop)
        own = engine.control_queue(self.name)
        DBOS.listen_queues([engine.RUNS, engine.SUSPECTS, own])
        DBOS.launch()
        DBOS.register_queue(
            engine.RUNS,
            worker_concurrency=self._concurrency,
            polling_interval_sec=QUEUE_SECONDS,
            on_conflict="always_update",
        )
        DBOS.register_queue(
            engine.SUSPECTS, worker_concurrency=1, polling_interval_sec=QUEUE_SECONDS
        )
        DBOS.register_queue(own, polling_interval_sec=QUEUE_SECONDS)
        schedules.catch_up()

    def _register(self, runner: Runner, loop: asyncio.AbstractEventLoop) -> None:
        """Tell the engine what its names mean. Each is called in a thread; we work in our loop."""

        def inside(work: Coroutine[Any, Any, Any]) -> Any:
            try:
                return asyncio.run_coroutine_threadsafe(work, loop).result()
            except CancelledError:
                raise _Left from None

        def run(task: dict[str, Any]) -> dict[str, Any]:
            name, asked = DBOS.workflow_id, None
            assert name is not None
            try:
                asked = Task.kept(task)
                told = inside(runner.run(name, asked, Context().run(wishes_of, name)))
            except Exception as error:
                self._telling.ended(failed(name, error), asked)
                raise
            return self._telling.ended(told, asked)

        def scheduled(_at: Any, context: dict[str, Any]) -> dict[str, Any]:
            return run(context["task"])

        def control(name: str, command: str, argument: Any) -> dict[str, Any] | None:
            answer: dict[str, Any] | None = inside(runner.control(name, command, argument))
            return answer

        DBOS.workflow(name=engine.RUN)(run)
        DBOS.workflow(name=engine.SCHEDULED)(scheduled)
        DBOS.workflow(name=engine.CONTROL)(control)

    # --- life ---------------------------------------------------------------------------------

    async def _watch(self, presence: Presence, runner: Runner, client: DBOSClient) -> None:
        """Look after runs of workers that are gone, until it is time to stop."""
        assert self._stop is not None
        while not self._stop.is_set():
            await self._seen(presence)
            try:
                await asyncio.to_thread(take_over, presence, self.name)
            except OSError as error:
                raise _lost(error) from None
            await self._grant(runner, client)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), LOOK_SECONDS)

    async def _seen(self, presence: Presence) -> None:
        """Check that the database sees this worker.

        Raises:
            WorkerLostError: It does not, or does not answer.
        """
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await asyncio.to_thread(presence.check)
        except OSError as error:
            raise _lost(error) from None

    async def _grant(self, runner: Runner, client: DBOSClient) -> None:
        """Cancel the runs at work that were cancelled past us: taken just then, or in a drain."""
        if not (at_work := runner.at_work()):
            return
        for one in await asyncio.to_thread(
            client.list_workflows, workflow_ids=at_work, load_input=False, load_output=False
        ):
            if one.status == "CANCELLED" or (one.attributes or {}).get("cancelled"):
                await runner.control(one.workflow_id, "cancel", None)

    async def _end(
        self, presence: Presence, runner: Runner, client: DBOSClient, *, grace: float
    ) -> None:
        """Take no more runs, wait for those at work, and leave the rest as it is on disk."""
        assert self._hurry is not None
        if grace > 0 and (at_work := runner.at_work()):
            await asyncio.to_thread(note_leaving, client, at_work, self.name)
        ending = asyncio.ensure_future(
            asyncio.to_thread(
                DBOS.destroy, destroy_registry=True, workflow_completion_timeout_sec=ceil(grace)
            )
        )
        hurry = asyncio.ensure_future(self._hurry.wait())
        answering = Answering(runner, client, self.name)
        try:
            while grace > 0 and not ending.done() and not hurry.done():
                await self._seen(presence)
                await self._grant(runner, client)
                await answering.look()
                await runner.leave_waiting()
                await asyncio.wait(
                    {ending, hurry}, timeout=_DRAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
        finally:
            hurry.cancel()
            if grace == 0 or not ending.done():
                await runner.stop()
            await asyncio.wait({ending}, timeout=_CHECK_SECONDS)  # for ever without a database
            await runner.stop()


def _lost(error: OSError) -> WorkerLostError:
    said = str(error) or "the database does not answer"
    return WorkerLostError(f"{said}; the runs are on disk, start the worker again")
