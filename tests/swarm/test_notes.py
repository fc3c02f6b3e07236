"""What a person tells a run that is at work: read before the next step, kept over a kill."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from langchain_kimi.swarm import Handle, create_background_agent, is_unfinished, running
from langchain_kimi.swarm.live_runs import leave

from .fakes import FakeModel, calls, is_orchestrator, say, steps_of

CONFIG: Any = {"configurable": {"thread_id": "told"}}
BEGIN = {"messages": [HumanMessage("Do it.")]}
NOTE = "Leave out the old ones."


class Desk:
    """One sub-agent that waits, and an orchestrator that says what it was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.waiting, self.go = asyncio.Event(), asyncio.Event()
        self.model = FakeModel(rule=self._rule)

    def _rule(self, messages: Any) -> Any:
        if not is_orchestrator(messages):
            return say("Waited.") if steps_of(messages) else calls(("wait", {}))
        if not steps_of(messages):
            return calls(("assign_task", {"agent": "general", "prompt": "wait"}))
        told = [m.text for m in messages if m.type == "human"][1:]
        return say(f"Done, told: {told}")

    @asynccontextmanager
    async def open(self) -> Any:
        @tool
        async def wait() -> str:
            """Wait."""
            self.waiting.set()
            await self.go.wait()
            return "waited"

        async with AsyncSqliteSaver.from_conn_string(str(self.folder / "graph.sqlite")) as saver:
            journal = self.folder / "journal.sqlite"
            yield create_background_agent(self.model, [wait], journal=journal, checkpointer=saver)


def handle() -> Handle:
    found = running("told")
    assert found is not None
    return found


async def test_a_note_is_read_before_the_next_step(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with desk.open() as agent:
        run = asyncio.ensure_future(agent.ainvoke(BEGIN, CONFIG))
        await desk.waiting.wait()
        await handle().asend(NOTE)
        await asyncio.to_thread(handle().send, "And be quick.")
        desk.go.set()
        found = await run
    assert found["result"] == f"Done, told: {[NOTE, 'And be quick.']}"
    assert found["usage"]["steps"] == 4
    kinds = [m.type for m in found["messages"]]
    assert kinds == ["human", "ai", "tool", "human", "human", "ai"]


async def test_a_note_outlives_the_process(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    async with desk.open() as agent:
        run = asyncio.ensure_future(agent.ainvoke(BEGIN, CONFIG))
        await desk.waiting.wait()
        await handle().asend(NOTE)
        run.cancel()
        await asyncio.wait([run])
        await leave("told")
    desk.go.set()
    async with desk.open() as agent:
        assert is_unfinished(await agent.aget_state(CONFIG))
        found = await agent.ainvoke(None, CONFIG)
    assert found["result"] == f"Done, told: {[NOTE]}"


async def test_a_note_during_the_last_answer_is_answered_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.go.set()
    answering, say_it = asyncio.Event(), asyncio.Event()
    reply = desk.model._reply

    async def slowly(messages: Any) -> Any:
        found = await reply(messages)
        if "Done" in found.text and not answering.is_set():
            answering.set()
            await say_it.wait()
        return found

    object.__setattr__(desk.model, "_reply", slowly)
    async with desk.open() as agent:
        run = asyncio.ensure_future(agent.ainvoke(BEGIN, CONFIG))
        await answering.wait()
        await handle().asend(NOTE)
        say_it.set()
        found = await run
        again = await agent.ainvoke({"messages": [HumanMessage("And now?")]}, CONFIG)
    assert found["result"] == f"Done, told: {[NOTE]}"
    assert [m.text for m in found["messages"] if m.type == "ai"][-2:] == [
        "Done, told: []",
        f"Done, told: {[NOTE]}",
    ]
    assert again["usage"]["steps"] == 1
