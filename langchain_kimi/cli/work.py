"""Give the background agent a long task: `langchain-kimi work "task"`."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command, StateSnapshot
from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.plain import plain
from langchain_kimi.cli.session import RUNS_CODE, Approve
from langchain_kimi.swarm import (
    Budget,
    Journal,
    JournalError,
    Price,
    Progress,
    create_background_agent,
    delete_run,
    is_unfinished,
    open_journal,
)

DONE = object()
_MOST_MISSING = 20
_GO_ON = """{task}

You worked on this before. Use what is there, and do what was missing:
{left}"""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A task for the background agent, and where it keeps what it needs to go on.

    The same task in the same folder is the same run: when it was cut off, it is resumed.
    """

    task: str
    folder: Path
    budget: Budget
    price: Price | None = None
    """What a million tokens cost; None when that is not known."""
    journal: str | None = None
    """A PostgreSQL URL; None keeps the journal in the folder."""
    requests_per_minute: int | None = None
    again: bool = False
    """Whether to forget what was done for the task before, and begin anew."""

    @property
    def thread(self) -> str:
        """The name of the run, told from the task."""
        digest = hashlib.blake2b(self.task.encode(), digest_size=6).hexdigest()
        words = re.sub(r"[^a-z0-9]+", "-", self.task.lower())[:40].strip("-")
        return f"{words or 'task'}-{digest}"


def work(job: Work, llm: ChatKimi, console: Console, approve: Approve, tools: Any = ()) -> int:
    """Do the task, or go on with it; write its artifacts. 1 when something is missing.

    A task that is done is not done again: what came of it is shown. One that ended with something
    missing goes on with that.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    make = partial(create_background_agent, llm, tools, interrupt_on=asked(tools))
    found = asyncio.run(run_job(job, make, console, approve))
    console.print(Markdown(plain(found["result"])))
    for item in found["missing"]:
        console.print(f"missing: {plain(item)}", markup=False)
    used = found["usage"]
    console.print(
        f"{used['subagents']} sub-agents, {used['steps']} steps ({used['critical_steps']} one "
        f"after the other), {used['seconds']:.0f} s, {used['speed_up']:.1f}x as fast as serially"
        + (f", cost {used['money']:.4f}" if job.price else "")
    )
    console.print(f"report and artifacts: {job.folder / job.thread}", markup=False)
    return 0 if found["status"] == "done" else 1


async def run_job(
    job: Work, make: Callable[..., Any], console: Console, approve: Approve
) -> dict[str, Any]:
    """Run the agent that `make` makes to its end, asking a person where it asks; save its files.

    Returns:
        The state in which it ended.
    """
    config: RunnableConfig = {"configurable": {"thread_id": job.thread}}
    async with kept(job.folder, job.journal) as (journal, saver):
        if job.again:
            await delete_run(journal, job.thread, checkpointer=saver)
        agent = make(
            budget=replace(job.budget, prices={"": job.price} if job.price else {}),
            requests_per_minute=job.requests_per_minute,
            journal=journal,
            checkpointer=saver,
        )
        state = await agent.aget_state(config)
        begin, note = _beginning(state, job)
        if note:
            console.print(note, markup=False)
        while begin is not DONE:
            await _follow(agent, begin, config, console)
            state = await agent.aget_state(config)
            if not state.interrupts:
                break
            request = state.interrupts[0].value
            decisions = [
                await asyncio.to_thread(_decision, approve, action)
                for action in request["action_requests"]
            ]
            begin = Command(resume={"decisions": decisions})
        await _save(journal, job, console)
    return dict(state.values)


@asynccontextmanager
async def kept(
    folder: Path, journal: str | None = None
) -> AsyncIterator[tuple[Journal, AsyncSqliteSaver]]:
    """Open the journal and the checkpoints of a folder.

    Raises:
        OSError: The journal cannot be used any more; what is on disk is whole.
    """
    opened = open_journal(journal or folder / "journal.sqlite")
    try:
        async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.sqlite")) as saver:
            await saver.setup()
            yield opened, saver
    except JournalError as error:
        raise OSError(str(error)) from error
    finally:
        await opened.aclose()


def _beginning(state: StateSnapshot, job: Work) -> tuple[Any, str]:
    """Return what to call the agent with, DONE when there is nothing to do, and a note on it."""
    if is_unfinished(state):
        return None, "Going on where this task was cut off."
    status = state.values.get("status")
    if status is None:
        return {"messages": [HumanMessage(job.task)]}, ""
    if status == "done":
        return DONE, "This task was done before; here is what came of it. --again does it anew."
    left = "\n".join(f"- {item}" for item in state.values["missing"][:_MOST_MISSING])
    begin = {"messages": [HumanMessage(_GO_ON.format(task=job.task, left=left))]}
    return begin, f"This task ended before ({status}); going on with what is missing."


async def _follow(agent: Any, begin: Any, config: RunnableConfig, console: Console) -> None:
    progress = Progress()
    transient = not console.is_terminal
    with Live(progress, console=console, refresh_per_second=5, transient=transient):
        async for event in agent.astream(begin, config, stream_mode="custom", durability="sync"):
            progress.update(event)
    if not console.is_terminal:
        console.print(progress.headline(), markup=False)


def asked(tools: Any) -> dict[str, bool | dict[str, Any]]:
    """Ask a person before what runs code or changes the world."""
    allowed = {"allowed_decisions": ["approve", "reject"]}
    return {
        tool.name: allowed
        for tool in tools
        if tool.name in RUNS_CODE or (tool.metadata or {}).get("side_effects")
    }


def _decision(approve: Approve, action: dict[str, Any]) -> dict[str, Any]:
    return {"type": "approve"} if approve(action) else {"type": "reject"}


async def _save(journal: Journal, job: Work, console: Console) -> None:
    """Write the artifacts as files."""
    folder = job.folder / job.thread
    for info in await journal.artifacts(job.thread):
        found = await journal.artifact(job.thread, info.name)
        if found is not None:
            place = folder / info.name
            try:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(found[1])
            except OSError as error:
                console.print(f"not written: {place}: {error.strerror}", markup=False)
