"""The runs that live in this process, and the handle by which they are steered."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from langchain_kimi.swarm.events import Counts
from langchain_kimi.swarm.scheduler import Question
from langchain_kimi.swarm.session import Session
from langchain_kimi.swarm.state import AgentState

_T = TypeVar("_T")


class Handle:
    """Steers a run that lives in this process, from any thread."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def cancel(self, agent: str | None = None, *, reason: str = "cancelled by the user") -> int:
        """Stop one sub-agent (with those that it started), or all; return how many.

        What they had is kept and reported, and no model call is made for them after. When all
        are stopped the run goes to its report.

        Raises:
            KeyError: For an agent that the run does not have.
        """
        return self._run(lambda: self._session.swarm.cancel(agent, reason=reason))

    def pause(self) -> None:
        """Begin no more steps; calls that run come to their end."""
        self._run(self._session.swarm.pause)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._run(self._session.swarm.resume)

    async def asend(self, text: str) -> None:
        """Tell the orchestrator something; it reads it before its next step.

        When this returns it is on disk. A run that has begun its report does not read it any more.
        """
        work = self._session.note(text)
        loop = self._session.swarm.loop
        if loop is asyncio.get_running_loop():
            await work
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))

    def send(self, text: str) -> None:
        """Do the same from a thread without an event loop."""
        loop = self._session.swarm.loop
        asyncio.run_coroutine_threadsafe(self._session.note(text), loop).result(timeout=30)

    def questions(self) -> list[Question]:
        """List the tool calls that wait for a person."""
        return self._run(lambda: list(self._session.swarm.questions.values()))

    def decide(self, key: str, decision: dict[str, Any]) -> None:
        """Answer a question at once, without going through an interrupt."""
        self._run(lambda: self._session.swarm.answer(key, decision))

    def agents(self) -> list[AgentState]:
        """List the sub-agents of the task at hand."""
        return self._run(self._session.state.of_task)

    def counts(self) -> Counts:
        """Return a picture of the whole tree."""
        return self._run(self._session.counts)

    def _run(self, work: Callable[[], _T]) -> _T:
        """Do something in the run's own loop, and wait for it."""
        loop = self._session.swarm.loop
        try:
            inside = asyncio.get_running_loop() is loop
        except RuntimeError:
            inside = False
        if inside:
            return work()
        answer: concurrent.futures.Future[_T] = concurrent.futures.Future()

        def do() -> None:
            try:
                answer.set_result(work())
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread
                answer.set_exception(error)

        loop.call_soon_threadsafe(do)
        return answer.result(timeout=30)


_SESSIONS: dict[str, Session] = {}


def running(thread_id: str) -> Handle | None:
    """Return the handle of a thread's run, None when it does not live in this process."""
    session = _SESSIONS.get(thread_id)
    return Handle(session) if session is not None else None


async def enter(run: str, make: Callable[[], Coroutine[Any, Any, Session]]) -> Session:
    """Return the run's session of this loop; one of another loop is stopped and replaced."""
    session = _SESSIONS.get(run)
    if session is not None:
        loop = session.swarm.loop
        if loop is asyncio.get_running_loop() and session.swarm.broken is None:
            return session
        await _close_elsewhere(session, loop)
    session = await make()
    _SESSIONS[run] = session
    return session


async def leave(run: str) -> None:
    """Stop a run in this process; it can be resumed from its journal."""
    session = _SESSIONS.pop(run, None)
    if session is not None:
        await session.close()


async def _close_elsewhere(session: Session, loop: asyncio.AbstractEventLoop) -> None:
    if loop is asyncio.get_running_loop():
        await session.close()
    elif loop.is_running():
        future = asyncio.run_coroutine_threadsafe(session.close(), loop)
        await asyncio.wrap_future(future)


class _Background:
    """An event loop in a thread, for graphs that are called without one."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine there and wait; an interrupted caller cancels it."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="swarm-loop", daemon=True
                ).start()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


BACKGROUND = _Background()
