"""The runs that live in this process, and the handle by which they are steered."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections.abc import Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from langchain_kimi.swarm.events import Counts
from langchain_kimi.swarm.journal import Journal, open_journal
from langchain_kimi.swarm.open_journals import borrow, give_back
from langchain_kimi.swarm.scheduler import Question
from langchain_kimi.swarm.session import Key, Session
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

    def is_paused(self) -> bool:
        """Whether it was paused and has not gone on."""
        return self._run(lambda: not self._session.desk.open_gate.is_set())

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


IDLE_SECONDS = 30.0
"""After twice as long at most a run is closed of which nothing is at work: it is on disk."""

Make = Callable[[Journal], Coroutine[Any, Any, Session]]

_SESSIONS: dict[Key, Session] = {}
"""By the place of the journal and the run's name in it."""
_ENTERING: set[Key] = set()
_KEPT: set[str] = set()


class ThreadBusyError(RuntimeError):
    """Another agent of this process is at work on the same thread, with the same journal."""

    def __init__(self, run: str) -> None:
        super().__init__(
            f"The thread {run!r} is at work in this process for another agent with the same "
            "journal. Wait for its end, or give this run a thread id or its agent a journal of "
            "its own."
        )


def running(thread_id: str, journal: str | Path | Journal | None = None) -> Handle | None:
    """Return the handle of a thread's run, None when it does not live in this process.

    Args:
        thread_id: The thread.
        journal: Which one's, where agents with several journals work on threads of that name.

    Raises:
        ValueError: There are several, and no journal was named.
    """
    found = [key for key in list(_SESSIONS) if key[1] == thread_id]
    if journal is not None:
        place = open_journal(journal).place
        found = [key for key in found if key[0] == place]
    if len(found) > 1:
        msg = (
            f"The thread {thread_id!r} is at work for agents with {len(found)} journals: "
            "name one, running(thread_id, journal=…)."
        )
        raise ValueError(msg)
    session = _SESSIONS.get(found[0]) if found else None
    return Handle(session) if session is not None else None


async def enter(run: str, owner: object, where: str | Path | Journal, make: Make) -> Session:
    """Go into the run's session of this loop, made where there is none; `inside` counts it.

    Args:
        run: The run.
        owner: The agent that goes in.
        where: Its journal.
        make: Opens the run from the journal.

    Raises:
        ThreadBusyError: It is at work for another agent.
    """
    journal, place = await asyncio.to_thread(_placed, where)
    key = (place, run)
    session = _SESSIONS.get(key)
    if key in _ENTERING or (session is not None and _is_busy(session, owner)):
        raise ThreadBusyError(run)
    _ENTERING.add(key)
    try:
        if session is not None and not _is_of_this_loop(session):
            await _close_elsewhere(session, session.swarm.loop)
            session = None
        if session is None:
            session = _SESSIONS[key] = await _made(where, journal, make)
    finally:
        _ENTERING.discard(key)
    session.owner = owner
    session.inside += 1
    return session


def _placed(where: str | Path | Journal) -> tuple[Journal, Hashable]:
    """Return a journal, and where it lies, for which the disk is asked."""
    journal = open_journal(where)
    return journal, journal.place


def _is_busy(session: Session, owner: object) -> bool:
    is_other = session.inside > 0 and session.owner is not owner
    return is_other and session.swarm.loop.is_running()


def _is_of_this_loop(session: Session) -> bool:
    return session.swarm.loop is asyncio.get_running_loop() and session.swarm.broken is None


async def _made(where: str | Path | Journal, journal: Journal, make: Make) -> Session:
    if journal is not where:  # one that was given stays its owner's
        journal = borrow(journal)
    try:
        session = await make(journal)
    except BaseException:
        await give_back(journal)
        raise
    session.watcher = asyncio.create_task(_watch(session), context=contextvars.Context())
    return session


async def leave(run: str) -> None:
    """Stop a run in this process; it can be resumed from its journal."""
    for key in [key for key in list(_SESSIONS) if key[1] == run]:
        await drop(_SESSIONS[key])


async def drop(session: Session) -> None:
    """Close a session, unless another has its place."""
    if _SESSIONS.get(session.key) is session:
        del _SESSIONS[session.key]
        await session.close()


@contextmanager
def kept(run: str) -> Iterator[None]:
    """Keep a run in this process, also while it only waits for a person."""
    _KEPT.add(run)
    try:
        yield
    finally:
        _KEPT.discard(run)


async def _watch(session: Session) -> None:
    """Close a session that is idle at two looks in a row, or whose loop ends."""
    was = idle = False
    try:
        while not (was and idle):
            await asyncio.sleep(IDLE_SECONDS)
            was, idle = idle, session.key[1] not in _KEPT and session.is_idle()
    finally:
        await drop(session)


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
