"""Runs at work in this process: begun or gone on with, asked, answered."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from langchain_kimi.swarm import (
    Handle,
    JournalError,
    JournalTakenError,
    SwarmEvent,
    is_unfinished,
    running,
)
from langchain_kimi.swarm.agent import RESUMED
from langchain_kimi.swarm.approvals import decide, open_ids, refusal, waits_only
from langchain_kimi.swarm.control import obey, unseen
from langchain_kimi.swarm.failures import Remedy, describe, remedy
from langchain_kimi.swarm.live_runs import kept, leave
from langchain_kimi.workers.task import Task

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
"""Seconds between two tries of a run at most."""

_PASSING = (Remedy.RETRY, Remedy.REQUEUE)

_CANCELLED: dict[str, Any] = {
    "status": "cancelled",
    "result": "",
    "missing": ["cancelled while it waited to be tried again"],
    "usage": {},
}

Observer = Callable[[str, SwarmEvent], None]


_LOOK_SECONDS = 0.1
_ADVANCES = ("step", "ended")
"""Events of a run that does something: what passes is waited for anew after them."""


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What was asked of a run while nobody had it at work."""

    paused: bool = False
    cancelled: bool = False


class Runner:
    """Runs the agent; all in one event loop, each run in a thread of the graph's own name."""

    def __init__(
        self,
        agent: Any,
        observe: Observer | None = None,
        *,
        patience: float = 3600.0,
        pause: float = 5.0,
    ) -> None:
        """Set it up.

        Args:
            agent: The background agent.
            observe: Called with each event of each run.
            patience: Seconds that a run waits for what passes, counted anew after each step.
            pause: The first wait; each next one is twice as long, up to `LONGEST_PAUSE`.
        """
        self._agent = agent
        self._patience = patience
        self._pause = pause
        self._observe = observe
        self._advanced: set[str] = set()
        self._cancelled: set[str] = set()
        self._given: dict[str, dict[str, dict[str, Any]]] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._held: dict[str, asyncio.Future[bool]] = {}
        self._at_work: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def run(self, run: str, task: Task, wishes: Wishes | None = None) -> dict[str, Any]:
        """Do a task, or go on with it, to its end; what was done before is not done again.

        Args:
            run: Its name.
            task: What is to be done.
            wishes: What was asked of it meanwhile. One that is paused makes no call before
                `resume`; one that is cancelled goes to its report with what it has.

        Returns:
            `run`, `status`, `result`, `missing` and `usage`.
        """
        work = self._at_work[run] = asyncio.ensure_future(
            self._as_wished(run, task, wishes or Wishes())
        )
        try:
            with kept(run):
                return await work
        finally:
            self._at_work.pop(run, None)
            self._given.pop(run, None)
            self._cancelled.discard(run)
            self._advanced.discard(run)

    async def _as_wished(self, run: str, task: Task, wishes: Wishes) -> dict[str, Any]:
        cancelled = wishes.cancelled
        if wishes.paused and not cancelled:
            self._held[run] = asyncio.get_running_loop().create_future()
            try:
                cancelled = await self._held[run]
            finally:
                del self._held[run]
        if not cancelled:
            return await self._to_end(run, task)
        cancelling = asyncio.ensure_future(self.cancel(run))
        try:
            return await self._to_end(run, task)
        finally:
            cancelling.cancel()

    async def cancel(self, run: str) -> None:
        """Cancel a run as soon as it can be."""
        while run in self._at_work:
            done = await self.control(run, "cancel", None)
            if done is not None and "error" not in done:
                return
            await asyncio.sleep(_LOOK_SECONDS / 10)

    def at_work(self) -> list[str]:
        """Return the names of the runs that have not ended."""
        return list(self._at_work)

    async def control(self, run: str, command: str, argument: Any) -> dict[str, Any] | None:
        """Do what is asked about a run; None when it is not at work here."""
        if run not in self._at_work:
            return None
        if run in self._waiting:
            if command == "cancel" and argument is None:
                self._waiting[run].set()
                return {"stopped": 0}
            return {"error": "the run waits to be tried again; nothing of it is at work"}
        if run in self._held:
            return self._of_held(run, command, argument)
        handle = running(run)
        if handle is None:
            return None  # it has just begun
        return await self._of_live(handle, run, command, argument)

    async def _of_live(
        self, handle: Handle, run: str, command: str, argument: Any
    ) -> dict[str, Any]:
        if command == "answer":
            done = decide(handle, argument)
            if not done:
                self._given.setdefault(run, {}).update(argument)
            return done
        if command == "send":
            await handle.asend(str(argument))
            return {}
        if command == "cancel" and argument is None:
            self._cancelled.add(run)
        return obey(handle, command, argument)

    def _of_held(self, run: str, command: str, argument: Any) -> dict[str, Any]:
        """Do what is asked about a run that was taken over while it was paused."""
        match command:
            case "look":
                return unseen(paused=True)
            case "pause":
                return {}
            case "resume" | "cancel" if argument is None:
                if not self._held[run].done():
                    self._held[run].set_result(command == "cancel")
                return {} if command == "resume" else {"stopped": 0}
        return {"error": "the run is paused, and was taken over: resume it first"}

    async def stop(self) -> None:
        """Leave all runs as they are on disk."""
        for run in list(self._at_work):
            await self._leave(run)

    async def leave_waiting(self) -> None:
        """Leave the runs of which nothing is at work, but which wait for a person."""
        for run in list(self._at_work):
            handle = running(run)
            if run in self._held or (handle is not None and waits_only(handle)):
                await self._leave(run)

    async def _leave(self, run: str) -> None:
        work = self._at_work.get(run)
        if work is not None:
            work.cancel()
            await asyncio.wait([work])
        await leave(run)

    async def _to_end(self, run: str, task: Task) -> dict[str, Any]:
        """Do a task; what passes, such as an endpoint that is away, is waited for."""
        since, pause = None, self._pause
        while True:
            self._advanced.discard(run)
            try:
                return await self._on_with(run, task)
            except Exception as error:
                if since is None or run in self._advanced:
                    since, pause = time.monotonic(), self._pause
                passes = isinstance(error, JournalError) or remedy(error) in _PASSING
                lasts = not passes or isinstance(error, JournalTakenError)
                if lasts or time.monotonic() + pause > since + self._patience:
                    raise
                logger.warning("run %s waits %.0f s: %s", run, pause, describe(error))
            if run in self._cancelled or await self._cancelled_within(run, pause):
                return _told(run, _CANCELLED)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _cancelled_within(self, run: str, seconds: float) -> bool:
        """Wait, and tell whether somebody has cancelled the run meanwhile."""
        given_up = self._waiting[run] = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                return await given_up.wait()
        except TimeoutError:
            return False
        finally:
            del self._waiting[run]

    async def _on_with(self, run: str, task: Task) -> dict[str, Any]:
        config: RunnableConfig = {"configurable": {"thread_id": run}}
        state = await self._agent.aget_state(config)
        begin: Any = None
        if not is_unfinished(state) and not state.values.get("status"):
            begin = {"messages": [HumanMessage(task.task)], "budget": task.budget}
        while is_unfinished(state) or begin is not None:
            if state.interrupts:
                begin = await self._decided(run, state.values["waiting"])
            async for event in self._agent.astream(
                begin, config, stream_mode="custom", durability="sync"
            ):
                if event["event"] in _ADVANCES:
                    self._advanced.add(run)
                if self._observe is not None:
                    self._observe(run, event)
            begin = None
            state = await self._agent.aget_state(config)
        return _told(run, state.values)

    async def _decided(self, run: str, waiting: list[dict[str, Any]]) -> Command[Any]:
        """Wait until a person answered all that the graph stopped for, or nobody asks any more.

        What is answered meanwhile, and what siblings ask, goes past the graph: it is in `look`
        at once. A run that was taken over has nothing at work before it is resumed.
        """
        ids = {item["key"] for item in waiting}
        while (handle := running(run)) is not None and ids & open_ids(handle):  # noqa: ASYNC110  of many
            await asyncio.sleep(_LOOK_SECONDS)
        if handle is None:
            return Command(resume=RESUMED)
        given = self._given.get(run, {})
        return Command(
            resume={
                "decisions": [
                    given.get(item["key"]) or refusal(item["allowed"]) for item in waiting
                ]
            }
        )


def _told(run: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run,
        "status": values["status"],
        "result": values["result"],
        "missing": list(values["missing"]),
        "usage": dict(values["usage"]),
    }
