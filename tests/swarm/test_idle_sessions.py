"""Runs in this process that only wait for a person, and runs of one name."""

import asyncio
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from langchain_kimi.swarm import (
    ThreadBusyError,
    create_background_agent,
    live_runs,
    open_journal,
    running,
)
from langchain_kimi.swarm.live_runs import kept, leave

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

APPROVE = Command(resume={"decisions": [{"type": "approve"}]})


class Bank:
    """An agent whose sub-agents want to pay, or look for as long as they are told."""

    def __init__(self, folder, items=("buy",), checkpointer=None, journal="journal.sqlite"):
        self.items = list(items)
        self.looking, self.looked = asyncio.Event(), asyncio.Event()
        self.looked.set()
        self.paid = 0
        self.agent = create_background_agent(
            FakeModel(rule=self._rule),
            [tool(self.pay), tool(self.look)],
            interrupt_on={"pay": True},
            journal=folder / journal,
            checkpointer=checkpointer or InMemorySaver(),
        )

    def _rule(self, messages):
        if is_orchestrator(messages):
            if steps_of(messages):
                return say("All done.")
            args = {"description": "d", "prompt_template": "{{item}}", "items": self.items}
            if len(self.items) == 1:
                return calls(("assign_task", {"agent": "general", "prompt": self.items[0]}))
            return calls(("agent_swarm", args))
        if steps_of(messages):
            return say("told")
        return calls(("pay" if prompt_of(messages) == "buy" else "look", {}))

    async def pay(self) -> str:
        """Pay."""
        self.paid += 1
        return "paid"

    async def look(self) -> str:
        """Look."""
        self.looking.set()
        await self.looked.wait()
        return "seen"

    async def begin(self, thread):
        return await self.agent.ainvoke({"messages": [HumanMessage("go")]}, _config(thread))

    async def go_on(self, thread, given=APPROVE):
        return await self.agent.ainvoke(given, _config(thread))


def _config(thread):
    return {"configurable": {"thread_id": thread}}


def _sessions():
    return len(live_runs._SESSIONS)


async def _until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  of many
            await asyncio.sleep(0.01)


def _files(folder):
    """Count the files below a folder that this process has open."""
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile: the folder's own listing, for one
            found += one.readlink().is_relative_to(folder)
    return found


async def test_many_unanswered_approvals_share_one_journal_and_are_closed(tmp_path, monkeypatch):
    bank = Bank(tmp_path)
    for number in range(12):
        assert "__interrupt__" in await bank.begin(f"t{number}")
    assert _sessions() == 12
    assert _names().count("swarm-journal") == 1
    assert 0 < _files(tmp_path) <= 4
    tasks = len(asyncio.all_tasks())
    assert tasks >= 12
    for number in range(12):
        await leave(f"t{number}")
    monkeypatch.setattr(live_runs, "IDLE_SECONDS", 0.02)
    for number in range(12):
        assert "__interrupt__" in await bank.go_on(f"t{number}", Command(resume={"resumed": True}))
    await _until(lambda: _sessions() == 0)
    await _until(lambda: len(asyncio.all_tasks()) <= 2)
    await _until(lambda: not _files(tmp_path) and "swarm-journal" not in _names())
    monkeypatch.undo()
    found = await bank.go_on("t3")
    assert (found["status"], bank.paid) == ("done", 1)


def _names():
    return [thread.name for thread in threading.enumerate()]


async def test_a_run_whose_siblings_work_is_not_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(live_runs, "IDLE_SECONDS", 0.02)
    bank = Bank(tmp_path, ("buy", "look"))
    bank.looked.clear()
    assert "__interrupt__" in await bank.begin("t")
    await bank.looking.wait()
    await asyncio.sleep(0.2)
    assert running("t") is not None
    bank.looked.set()
    await _until(lambda: running("t") is None)
    assert (await bank.go_on("t"))["status"] == "done"


async def test_a_kept_run_is_not_closed(tmp_path, monkeypatch):
    monkeypatch.setattr(live_runs, "IDLE_SECONDS", 0.02)
    bank = Bank(tmp_path)
    with kept("t"):
        assert "__interrupt__" in await bank.begin("t")
        await asyncio.sleep(0.2)
        assert running("t") is not None
    await _until(lambda: running("t") is None)


def test_a_loop_that_ends_takes_its_runs_with_it(tmp_path):
    bank = Bank(tmp_path)
    assert "__interrupt__" in asyncio.run(bank.begin("t"))
    assert _sessions() == 0
    assert "swarm-journal" not in _names()
    assert asyncio.run(bank.go_on("t"))["status"] == "done"


async def test_two_agents_with_one_thread_id_and_two_journals_do_not_meet(tmp_path):
    one, two = Bank(tmp_path, ["look"], journal="1"), Bank(tmp_path, ["look"], journal="2")
    one.looked.clear()
    first = asyncio.create_task(one.begin("1"))
    await one.looking.wait()
    two.looked.clear()
    second = asyncio.create_task(two.begin("1"))
    await two.looking.wait()
    with pytest.raises(ValueError, match="2 journals"):
        running("1")
    assert running("1", journal=tmp_path / "1").cancel() == 1
    two.looked.set()
    assert (await first)["status"] == "cancelled"
    assert (await second)["status"] == "done"


async def test_a_second_agent_on_a_thread_at_work_is_refused_and_the_first_goes_on(tmp_path):
    one, two = Bank(tmp_path, ["look"]), Bank(tmp_path, ["look"])
    one.looked.clear()
    first = asyncio.create_task(one.begin("1"))
    await one.looking.wait()
    with pytest.raises(ThreadBusyError, match="'1' is at work in this process for another agent"):
        await two.begin("1")
    one.looked.set()
    assert (await first)["status"] == "done"


async def test_naming_a_journal_does_not_ask_the_disk(tmp_path, monkeypatch):
    """A server's loop may not be blocked, and a context names the journal in it."""
    inside = threading.get_ident()
    real = os.getcwd

    def getcwd():
        assert threading.get_ident() != inside, "the loop was blocked"
        return real()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "getcwd", getcwd)
    model = FakeModel(rule=lambda _: say("Done."))
    agent = create_background_agent(model, journal=lambda _: open_journal("relative.sqlite"))
    found = await agent.ainvoke({"messages": [HumanMessage("go")]}, _config("t"))
    assert found["status"] == "done"
    assert (tmp_path / "relative.sqlite").exists()
