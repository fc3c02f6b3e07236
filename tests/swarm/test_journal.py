"""The journal: what an append promises, and what the database may do to it."""

import asyncio
import sqlite3

import pytest
from langchain_core.messages import AIMessage

from langchain_kimi.swarm import prune_runs
from langchain_kimi.swarm.backend import JournalError, JournalTakenError
from langchain_kimi.swarm.journal import Journal, open_journal
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.sqlite import SqliteBackend


def _step(agent: str, number: int) -> Record:
    return Record(Kind.REPLY, agent, {"step": number, "message": AIMessage(f"step {number}")})


async def test_records_come_back_in_order(tmp_path):
    journal = open_journal(tmp_path / "j.sqlite")
    log = await journal.open("run")
    log.post(_step("a", 1))
    await log.append(_step("b", 1), _step("a", 2))
    await journal.aclose()

    again = open_journal(f"sqlite:///{tmp_path}/j.sqlite")
    records = await again.read("run")
    assert [(r.agent, r.body["message"].content) for r in records] == [
        ("a", "step 1"),
        ("b", "step 1"),
        ("a", "step 2"),
    ]
    assert await again.read("another") == []
    await again.aclose()


async def test_many_appends_share_a_commit(tmp_path):
    journal = open_journal(tmp_path / "j.sqlite")
    log = await journal.open("run")
    await asyncio.gather(*(log.append(_step(f"a{n}", 1)) for n in range(300)))
    assert journal.commits == 1
    await journal.aclose()


async def test_the_old_writer_is_shut_out_once_a_run_is_taken_over(tmp_path):
    journal = open_journal(tmp_path / "j.sqlite")
    old = await journal.open("run")
    await old.append(_step("a", 1))
    new = await open_journal(tmp_path / "j.sqlite").open("run")
    with pytest.raises(JournalTakenError):
        await old.append(_step("a", 2))
    with pytest.raises(JournalTakenError):
        old.post(_step("a", 3))
    await new.append(_step("a", 4))
    steps = [record.body["step"] for record in await journal.read("run")]
    assert steps == [1, 4]
    await journal.aclose()
    await new.journal.aclose()


async def test_a_locked_file_is_waited_for(tmp_path):
    path = tmp_path / "j.sqlite"
    journal = open_journal(path)
    log = await journal.open("run")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    waiting = log.append(_step("a", 1))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    other.rollback()
    other.close()
    await waiting
    await journal.aclose()


class _Failing(SqliteBackend):
    """A database that refuses one write for good."""

    refused = False

    def write(self, rows, blobs, now):
        if any(row.agent == "bad" for row in rows):
            self.refused = True
            msg = "no room"
            raise JournalError(msg)
        super().write(rows, blobs, now)


async def test_after_a_failed_write_nothing_later_of_that_run_is_written():
    journal = Journal(_Failing(":memory:"))
    log, sibling = await journal.open("run"), await journal.open("sibling")
    await log.append(_step("good", 1))
    bad = log.append(_step("bad", 1))
    fine = sibling.append(_step("good", 1))
    await asyncio.sleep(0)
    later = log.append(_step("good", 2))
    for future in (bad, later):
        with pytest.raises(JournalError, match="no room"):
            await future
    await fine
    assert [record.body["step"] for record in await journal.read("run")] == [1]
    assert len(await journal.read("sibling")) == 1
    await journal.aclose()


async def test_a_full_disk_ends_in_an_error_that_says_so(tmp_path):
    backend = SqliteBackend(tmp_path / "j.sqlite", patience=0.05)
    journal = Journal(backend)
    log = await journal.open("run")
    pages = (await journal._ask(lambda b: b._open().execute("PRAGMA page_count").fetchone()))[0]
    await journal._ask(lambda b: b._open().execute(f"PRAGMA max_page_count={pages}").fetchone())
    with pytest.raises(JournalError, match="full"):
        await log.append(Record(Kind.REPLY, "a", {"text": "x" * 100_000}))
    await journal.aclose()


async def test_artifacts_pruning_and_deleting(tmp_path):
    journal = open_journal(tmp_path / "j.sqlite")
    log = await journal.open("run")
    await log.append(_step("a", 1), _step("b", 1))
    await log.save("a/report.md", "text/markdown", b"# Hello")
    assert await journal.artifact("run", "a/report.md") == ("text/markdown", b"# Hello")
    assert [(info.name, info.size) for info in await journal.artifacts("run")] == [
        ("a/report.md", 7)
    ]
    await journal.compact("run", [Kind.REPLY], ["a"])
    assert [record.agent for record in await journal.read("run")] == ["b"]
    assert await prune_runs(journal, older_than=3600) == []
    assert await prune_runs(journal, older_than=-1) == ["run"]
    assert await journal.runs() == []
    assert await journal.artifact("run", "a/report.md") is None
    with pytest.raises(JournalTakenError):
        await log.append(_step("a", 2))
    await journal.aclose()


def test_an_unknown_url_is_refused():
    with pytest.raises(ValueError, match="mysql"):
        open_journal("mysql://host/db")
