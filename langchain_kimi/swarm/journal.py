"""The append journal: records go to disk in groups, and an append returns when it is there.

One thread owns the database. While it commits, the records of all other sub-agents gather,
and the next commit takes them together: the cost of making things safe is shared.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from langchain_kimi.swarm.backend import (
    Backend,
    Blob,
    BlobInfo,
    Claim,
    JournalError,
    Row,
    RunInfo,
)
from langchain_kimi.swarm.records import Record, decode, encode
from langchain_kimi.swarm.sqlite import SqliteBackend

_T = TypeVar("_T")
_MOST_ITEMS = 4096


class _Call:
    """A question to the database, answered between two commits."""

    __slots__ = ("future", "loop", "work")

    def __init__(self, work: Callable[[Backend], Any]) -> None:
        self.work = work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()


class _Write:
    """What one turn of an event loop wants to have written."""

    __slots__ = ("blobs", "futures", "log", "loop", "rows")

    def __init__(self, log: RunLog) -> None:
        self.rows: list[Row] = []
        self.blobs: list[Blob] = []
        self.futures: list[asyncio.Future[None]] = []
        self.loop = asyncio.get_running_loop()
        self.log = log


class Journal:
    """An append journal over a database.

    Args:
        backend: The database; see `open_journal` for one from a URL.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.commits = 0
        self._queue: queue.SimpleQueue[_Call | _Write | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def place(self) -> Hashable:
        """What tells whether two journals write to the same place; one of its own in memory."""
        return getattr(self.backend, "place", None) or self

    async def open(self, run: str) -> RunLog:
        """Take a run over for writing. Whoever wrote for it before can write no more."""
        claim = await self._ask(lambda backend: backend.claim(run, time.time()))
        return RunLog(self, run, claim)

    async def read(self, run: str) -> list[Record]:
        """Return the records of a run in their order; none for an unknown run."""
        rows = await self._ask(lambda backend: list(backend.read(run)))
        return [decode(kind, agent, body) for kind, agent, body in rows]

    async def artifacts(self, run: str) -> list[BlobInfo]:
        """List the artifacts of a run."""
        return await self._ask(lambda backend: backend.blobs(run))

    async def artifact(self, run: str, name: str) -> tuple[str, bytes] | None:
        """Return an artifact's media type and content, None when there is none."""
        return await self._ask(lambda backend: backend.blob(run, name))

    async def compact(self, run: str, kinds: Sequence[int], agents: Sequence[str]) -> None:
        """Forget the records of these kinds of these sub-agents."""
        await self._ask(lambda backend: backend.drop_records(run, kinds, agents))

    async def runs(self) -> list[RunInfo]:
        """List the runs, the latest first."""
        return await self._ask(lambda backend: backend.runs())

    async def delete(self, run: str) -> None:
        """Forget a run with its records and artifacts."""
        await self._ask(lambda backend: backend.delete(run))

    async def older(self, seconds: float) -> list[str]:
        """Name the runs that were not written to for so long."""
        limit = time.time() - seconds
        return [info.name for info in await self.runs() if info.updated < limit]

    async def vacuum(self) -> None:
        """Give the room of what was forgotten back to the disk."""
        await self._ask(lambda backend: backend.vacuum())

    async def aclose(self) -> None:
        """Write what is waiting, then let go of the database."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(thread.join)

    async def _ask(self, work: Callable[[Backend], _T]) -> _T:
        call = _Call(work)
        self.put(call)
        result: _T = await call.future
        return result

    def put(self, item: _Call | _Write) -> None:
        """Hand work to the thread that owns the database."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._serve, name="swarm-journal", daemon=True
                )
                self._thread.start()
            self._queue.put(item)

    def _serve(self) -> None:
        while True:
            items = self._gather()
            writes: list[_Write] = []
            for item in items:
                if isinstance(item, _Write):
                    writes.append(item)
                    continue
                self._commit(writes)
                writes = []
                if item is None:
                    self._stop()
                    return
                self._answer(item)
            self._commit(writes)

    def _gather(self) -> list[_Call | _Write | None]:
        items = [self._queue.get()]
        while len(items) < _MOST_ITEMS and items[-1] is not None:
            try:
                items.append(self._queue.get_nowait())
            except queue.Empty:
                break
        return items

    def _stop(self) -> None:
        with self._lock:
            self.backend.close()
            self._thread = None

    def _answer(self, call: _Call) -> None:
        try:
            result = call.work(self.backend)
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            _tell(call.loop, _fail, [call.future], error)
        else:
            _tell(call.loop, _succeed, [call.future], result)

    def _commit(self, writes: list[_Write]) -> None:
        for write in [write for write in writes if write.log.error is not None]:
            writes.remove(write)
            _tell(write.loop, _fail, write.futures, write.log.error)
        if not writes:
            return
        rows = [row for write in writes for row in write.rows]
        blobs = [blob for write in writes for blob in write.blobs]
        try:
            self.backend.write(rows, blobs, time.time())
            self.commits += 1
        except Exception as error:  # noqa: BLE001 - handed to whoever waits
            if len(writes) > 1:
                for write in writes:
                    self._commit([write])
                return
            writes[0].log.error = error
            _tell(writes[0].loop, _fail, writes[0].futures, error)
            return
        for loop in {write.loop for write in writes}:
            futures = [f for write in writes if write.loop is loop for f in write.futures]
            _tell(loop, _succeed, futures, None)


class RunLog:
    """The writing end of one run: orders its records and hands them to the journal.

    After one record could not be written no later one is taken, so that what is on disk is
    always a beginning of what happened, with no hole in it.
    """

    def __init__(self, journal: Journal, run: str, claim: Claim) -> None:
        self.journal = journal
        self.run = run
        self._claim = claim
        self._seq = claim.next_seq
        self._open: _Write | None = None
        self.error: BaseException | None = None

    def post(self, record: Record) -> None:
        """Queue a record. It is on disk when any later `append` has returned."""
        self._check()
        row = Row(
            self._claim.run,
            self._claim.epoch,
            self._seq,
            record.kind,
            record.agent,
            encode(record),
        )
        self._seq += 1
        self._batch().rows.append(row)

    def append(self, *records: Record) -> asyncio.Future[None]:
        """Queue records; the future is done when they are safe on disk."""
        for record in records:
            self.post(record)
        return self._done()

    def save(self, name: str, media_type: str, body: bytes) -> asyncio.Future[None]:
        """Queue an artifact; the future is done when it is safe on disk."""
        self._check()
        blob = Blob(self._claim.run, self._claim.epoch, name, media_type, body)
        self._batch().blobs.append(blob)
        return self._done()

    def _done(self) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._batch().futures.append(future)
        return future

    def _batch(self) -> _Write:
        if self._open is None:
            self._open = _Write(self)
            self._open.loop.call_soon(self._flush)
        return self._open

    def _flush(self) -> None:
        if self._open is not None:
            write, self._open = self._open, None
            self.journal.put(write)

    def _check(self) -> None:
        if self.error is not None:
            if isinstance(self.error, JournalError):
                raise self.error
            msg = f"The journal of run {self.run!r} failed: {self.error}."
            raise JournalError(msg) from self.error


def open_journal(where: str | Path | Journal | None) -> Journal:
    """Return the journal at a path or URL.

    Args:
        where: A path or `sqlite:///path` for a SQLite file, `postgresql://…` for PostgreSQL
            (needs the extra `postgres`), None for one that keeps nothing after the process.

    Raises:
        ValueError: For any other URL.
    """
    if isinstance(where, Journal):
        return where
    text = ":memory:" if where is None else str(where)
    if text.startswith(("postgresql://", "postgres://")):
        from langchain_kimi.swarm.postgres import PostgresBackend  # noqa: PLC0415 - an extra

        return Journal(PostgresBackend(text))
    if "://" in text and not text.startswith("sqlite:///"):
        msg = (
            f"The journal {text.split('://')[0]}://… is not known. "
            "Give a path, sqlite:///path, or postgresql://user@host/database."
        )
        raise ValueError(msg)
    return Journal(SqliteBackend(text.removeprefix("sqlite:///")))


def _tell(
    loop: asyncio.AbstractEventLoop,
    how: Callable[[list[asyncio.Future[Any]], Any], None],
    futures: list[asyncio.Future[Any]],
    what: object,
) -> None:
    """Hand a result to futures of another thread's loop, unless that loop is gone."""
    if futures and not loop.is_closed():
        try:
            loop.call_soon_threadsafe(how, futures, what)
        except RuntimeError:
            return  # the loop was closed in between: nobody waits any more


def _succeed(futures: list[asyncio.Future[Any]], result: object) -> None:
    for future in futures:
        if not future.done():
            future.set_result(result)


def _fail(futures: list[asyncio.Future[Any]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
