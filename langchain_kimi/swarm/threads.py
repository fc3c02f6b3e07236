"""Forget runs: the journal, the outer graph's checkpoints, and those of graphs inside."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from langchain_kimi.swarm.journal import Journal
from langchain_kimi.swarm.records import Kind
from langchain_kimi.swarm.runnable_worker import thread_of


async def delete_run(
    journal: Journal, thread_id: str, *, checkpointer: BaseCheckpointSaver[Any] | None = None
) -> None:
    """Forget a run altogether; nothing happens for one that is not there.

    A process that still works on it can write no more and stops with `JournalTakenError`.

    Args:
        journal: Where its steps and artifacts are.
        thread_id: The run's thread.
        checkpointer: What the background agent was made with.
    """
    if checkpointer is not None:
        agents = {r.agent for r in await journal.read(thread_id) if r.kind is Kind.SPAWN}
        for agent in sorted(agents):
            await checkpointer.adelete_thread(thread_of(thread_id, agent))
        await checkpointer.adelete_thread(thread_id)
    await journal.delete(thread_id)


async def prune_runs(
    journal: Journal,
    *,
    older_than: float,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> list[str]:
    """Forget every run that was not written to for `older_than` seconds; name them."""
    old = await journal.older(older_than)
    for name in old:
        await delete_run(journal, name, checkpointer=checkpointer)
    if old:
        await journal.vacuum()
    return old
