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

from langchain_kimi.swarm import JournalError, JournalTakenError, SwarmEvent, is_unfinished, running
from langchain_kimi.swarm.agent import check_decisions
from langchain_kimi.swarm.failures import Remedy, describe, remedy
from langchain_kimi.swarm.live_runs import leave
from langchain_kimi.workers.control import obey
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


@dataclass(frozen=True)
class _Asked:
    """What a person is asked, in the schema of `HumanInTheLoopMiddleware`, and the answer."""

    request: dict[str, Any]
    answer: asyncio.Future[list[dict[str, Any]]]


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
            patience: Seconds in all that a run waits for what passes.
            pause: The first wait; each next one is twice as long, up to `LONGEST_PAUSE`.
        """
        self._agent = agent
        self._patience = patience
        self._pause = pause
        self._observe = observe
        self._asked: dict[str, _Asked] = {}
        self._waiting: dict[str, asyncio.Event] = {}
        self._at_work: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def run(self, run: str, task: Task) -> dict[str, Any]:
        """Do a task, or go on with it, to its end; what was done before is not done again.

        Returns:
            `run`, `status`, `result`, `missing` and `usage`.
        """
        work = self._at_work[run] = asyncio.ensure_future(self._to_end(run, task))
        try:
            return await work
        finally:
            self._at_work.pop(run, None)

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
        handle = running(run)
        if handle is None:
            return None  # it has just begun
        if command == "answer":
            return self._answer(run, argument)
        if command == "send":
            await handle.asend(str(argument))
            return {}
        done = obey(handle, command, argument)
        if command == "look":
            done["asked"] = self._asked[run].request if run in self._asked else None
        if command == "cancel" and argument is None:
            self._answer(run, [])
        return done

    async def stop(self) -> None:
        """Leave all runs as they are on disk."""
        for run, work in list(self._at_work.items()):
            work.cancel()
            await asyncio.wait([work])
            await leave(run)

    def _answer(self, run: str, decisions: list[dict[str, Any]]) -> dict[str, Any]:
        asked = self._asked.get(run)
        if asked is None or asked.answer.done():
            return {"error": "the run does not ask for anything"}
        if decisions:
            try:
                check_decisions(asked.request, decisions)
            except ValueError as error:
                return {"error": str(error)}
        asked.answer.set_result(decisions)
        return {}

    async def _to_end(self, run: str, task: Task) -> dict[str, Any]:
        """Do a task; what passes, such as an endpoint that is away, is waited for."""
        begun, pause = time.monotonic(), self._pause
        while True:
            try:
                return await self._on_with(run, task)
            except Exception as error:
                passes = isinstance(error, JournalError) or remedy(error) in _PASSING
                lasts = not passes or isinstance(error, JournalTakenError)
                if lasts or time.monotonic() + pause > begun + self._patience:
                    raise
                logger.warning("run %s waits %.0f s: %s", run, pause, describe(error))
            if await self._cancelled_within(run, pause):
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
                begin = await self._decided(run, state.interrupts[0].value)
            async for event in self._agent.astream(
                begin, config, stream_mode="custom", durability="sync"
            ):
                if self._observe is not None:
                    self._observe(run, event)
            begin = None
            state = await self._agent.aget_state(config)
        return _told(run, state.values)

    async def _decided(self, run: str, request: dict[str, Any]) -> Command[Any]:
        """Wait for a person; a run that is cancelled meanwhile gets refusals."""
        answer = asyncio.get_running_loop().create_future()
        self._asked[run] = _Asked(request, answer)
        try:
            given = await answer
        finally:
            del self._asked[run]
        refused = {"type": "reject", "message": "The run was cancelled."}
        return Command(resume={"decisions": given or [refused] * len(request["action_requests"])})


def _told(run: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": run,
        "status": values["status"],
        "result": values["result"],
        "missing": list(values["missing"]),
        "usage": dict(values["usage"]),
    }
