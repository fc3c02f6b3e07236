"""What a database may do to a run: it waits and goes on, or ends with an error and nothing lost."""

import asyncio
import os
import sqlite3
import subprocess
from collections import Counter

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi.swarm import (
    Journal,
    JournalError,
    create_background_agent,
    open_journal,
    prune_runs,
)
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.sqlite import SqliteBackend

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

pytestmark = pytest.mark.timeout(120)

AGENTS, STEPS = 6, 3
CONFIG = {"configurable": {"thread_id": "faulty"}}


class Trial:
    """A run that has a fault done to its database after so many tool calls."""

    def __init__(self, journal, fault, *, after=8):
        self.charged = Counter()
        self.answered = Counter()
        self.journal = journal
        self._fault = fault
        self._after = after

        @tool
        async def charge(agent: str, step: int) -> str:
            """Charge."""
            self.charged[agent, step] += 1
            if self.charged.total() == self._after:
                await self._fault()
            return f"charged {step} {'x' * 2000}"

        model = FakeModel(rule=self._rule, delay=0.002)
        self.agent = create_background_agent(
            model, [charge], journal=journal, checkpointer=InMemorySaver()
        )

    def _rule(self, messages):
        if is_orchestrator(messages):
            if steps_of(messages):
                return say(f"final: {messages[-1].text.count(' done in ')}")
            items = [f"agent{n}" for n in range(AGENTS)]
            args = {"description": "d", "prompt_template": "{{item}}", "items": items}
            return calls(("agent_swarm", args))
        name, step = prompt_of(messages), steps_of(messages)
        if step < STEPS:
            return calls(("charge", {"agent": name, "step": step}))
        self.answered[name] += 1
        return say(f"{name} is done")

    async def begin(self):
        return await self.agent.ainvoke({"messages": [HumanMessage("go")]}, CONFIG)

    async def go_on(self):
        return await self.agent.ainvoke(None, CONFIG)

    def check(self, found, *, breaks=0):
        """The result is whole; of each sub-agent at most the step in flight was done again."""
        assert found["status"] == "done", found["missing"]
        assert found["result"] == f"final: {AGENTS}"
        assert set(self.charged) == {(f"agent{a}", s) for a in range(AGENTS) for s in range(STEPS)}
        again = Counter()
        for (agent, _), count in self.charged.items():
            again[agent] += count - 1
        for agent, count in self.answered.items():
            again[agent] += count - 1
        assert max(again.values()) <= breaks
        assert found["usage"]["steps"] == AGENTS * (STEPS + 1) + 2

    async def breaks_and_goes_on(self, mend):
        """The fault outlasts the patience; once it is mended, a resume finishes."""
        with pytest.raises(JournalError, match="cannot be used"):
            await self.begin()
        await mend()
        self.check(await self.go_on(), breaks=1)
        await self.journal.aclose()


class Lock:
    """Somebody else who writes to the file and does not end."""

    def __init__(self, path):
        self._path = path
        self._connection = None

    async def take(self):
        self._connection = sqlite3.connect(self._path, timeout=10)
        self._connection.execute("BEGIN IMMEDIATE")

    async def free(self):
        self._connection.rollback()
        self._connection.close()


async def test_sqlite_locked_for_a_while_is_waited_for(tmp_path):
    lock = Lock(tmp_path / "j.sqlite")
    tasks = []

    async def later():
        await asyncio.sleep(0.3)
        await lock.free()

    async def fault():
        await lock.take()
        tasks.append(asyncio.create_task(later()))

    trial = Trial(open_journal(tmp_path / "j.sqlite"), fault)
    trial.check(await trial.begin())
    await asyncio.gather(*tasks)
    await trial.journal.aclose()


async def test_sqlite_locked_for_good_ends_with_an_error_and_nothing_lost(tmp_path):
    lock = Lock(tmp_path / "j.sqlite")
    journal = Journal(SqliteBackend(tmp_path / "j.sqlite", patience=0.1))
    await Trial(journal, lock.take).breaks_and_goes_on(lock.free)


async def test_a_sqlite_file_that_may_not_grow_ends_with_an_error_and_nothing_lost(tmp_path):
    backend = SqliteBackend(tmp_path / "j.sqlite", patience=0.1)
    journal = Journal(backend)

    def pragma(name):
        return journal._ask(lambda b: b._open().execute(f"PRAGMA {name}").fetchone()[0])

    async def fault():
        await pragma(f"max_page_count={await pragma('page_count')}")

    async def mend():
        await pragma("max_page_count=1000000")

    await Trial(journal, fault).breaks_and_goes_on(mend)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs rights that this process does not have")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("passes", [True, False])
async def test_a_full_disk_is_waited_for_or_told(small_disk, passes):
    ballast = small_disk / "ballast"
    tasks = []

    async def mend():
        ballast.unlink()

    async def later():
        await asyncio.sleep(0.5)
        await mend()

    async def fault():
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        if passes:
            tasks.append(asyncio.create_task(later()))

    patience = 30.0 if passes else 0.1
    trial = Trial(Journal(SqliteBackend(small_disk / "j.sqlite", patience=patience)), fault)
    if passes:
        trial.check(await trial.begin())
        await asyncio.gather(*tasks)
        await trial.journal.aclose()
    else:
        await trial.breaks_and_goes_on(mend)


async def test_a_folder_that_cannot_be_made_is_told_as_such(tmp_path):
    (tmp_path / "file").write_text("")
    journal = open_journal(tmp_path / "file" / "j.sqlite")
    with pytest.raises(JournalError, match=r"cannot be used: .*file"):
        await journal.runs()
    await journal.aclose()


async def test_a_file_that_is_no_database_is_told_as_such(tmp_path):
    (tmp_path / "j.sqlite").write_text("Dear diary, " * 1000)
    journal = open_journal(tmp_path / "j.sqlite")
    with pytest.raises(JournalError, match="not a database"):
        await journal.open("run")
    await journal.aclose()


async def test_postgres_connections_cut_while_writing_are_made_anew(postgres):
    cuts = []

    async def cutting():
        while True:
            statement = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            await asyncio.to_thread(postgres.execute, statement)
            await asyncio.sleep(0.02)

    async def fault():
        cuts.append(asyncio.create_task(cutting()))

    trial = Trial(open_journal(postgres.url), fault, after=2)
    trial.check(await trial.begin())
    cuts[0].cancel()
    await asyncio.gather(*cuts, return_exceptions=True)
    await trial.journal.aclose()


async def test_a_postgres_server_that_restarts_is_waited_for(postgres):
    async def fault():
        await asyncio.to_thread(postgres.stop)
        await asyncio.to_thread(postgres.start)

    trial = Trial(open_journal(postgres.url), fault)
    trial.check(await trial.begin())
    await trial.journal.aclose()


async def test_a_postgres_server_that_is_gone_ends_with_an_error_and_nothing_lost(postgres):
    from langchain_kimi.swarm.postgres import PostgresBackend

    async def fault():
        await asyncio.to_thread(postgres.stop)

    async def mend():
        await asyncio.to_thread(postgres.start)

    journal = Journal(PostgresBackend(postgres.url, patience=0.1))
    await Trial(journal, fault).breaks_and_goes_on(mend)


async def test_a_postgres_table_that_is_locked_is_waited_for(postgres):
    import psycopg

    tasks = []

    async def fault():
        connection = psycopg.connect(postgres.url)
        connection.execute("LOCK TABLE kimi_records IN ACCESS EXCLUSIVE MODE")

        async def later():
            await asyncio.sleep(0.3)
            connection.close()

        tasks.append(asyncio.create_task(later()))

    trial = Trial(open_journal(postgres.url), fault)
    trial.check(await trial.begin())
    await asyncio.gather(*tasks)
    await trial.journal.aclose()


async def test_on_postgres_the_journal_does_what_it_does_on_sqlite(postgres):
    journal = open_journal(postgres.url)
    old, log = await journal.open("lost"), await journal.open("lost")
    with pytest.raises(JournalError, match="taken over"):
        await old.append(Record(Kind.REPLY, "a", {"step": 0}))
    await log.append(Record(Kind.REPLY, "a", {"step": 1}), Record(Kind.TOOLS, "a", {"step": 1}))
    await log.append(Record(Kind.REPLY, "b", {"step": 2}))
    await log.save("a/x.txt", "text/plain", b"w")
    await log.save("a/x.txt", "text/plain", b"x")
    assert [record.body["step"] for record in await journal.read("lost")] == [1, 1, 2]
    assert [(i.name, i.records) for i in await journal.runs()] == [("lost", 3)]
    assert await journal.artifact("lost", "a/x.txt") == ("text/plain", b"x")
    assert [(i.name, i.size) for i in await journal.artifacts("lost")] == [("a/x.txt", 1)]
    await journal.compact("lost", [Kind.REPLY], ["a"])
    assert [record.agent for record in await journal.read("lost")] == ["a", "b"]
    assert await prune_runs(journal, older_than=-1) == ["lost"]
    assert await journal.runs() == []
    await journal.aclose()
