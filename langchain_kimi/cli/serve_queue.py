"""What `langchain-kimi worker` does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from langchain_kimi.cli.errors import one_line_errors
from langchain_kimi.cli.plain import plain
from langchain_kimi.cli.work import asked
from langchain_kimi.server.observed import observed, shown_metrics
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.workers import Worker


def serve(
    where: str | Path,
    connection: Any,
    toolbox: Any,
    *,
    budget: dict[str, Any],
    requests_per_minute: int | None,
    concurrency: int,
    grace: float,
    private_hosts: Sequence[str],
) -> int:
    """Work on the runs of a queue until SIGTERM."""
    console = Console()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    with one_line_errors():
        tools = toolbox.open_for_subagents()
        with connection.open(console) as llm:
            worker = Worker(
                lambda journal, saver: create_background_agent(
                    llm,
                    tools,
                    budget=budget,
                    requests_per_minute=requests_per_minute,
                    interrupt_on={} if toolbox.yes else asked(tools),
                    journal=journal,
                    checkpointer=saver,
                ),
                where,
                concurrency=concurrency,
                grace=grace,
                private_hosts=private_hosts,
                ends_process=True,
                notify=lambda told: console.print(
                    f"{plain(told['run'])}: {told['status']}", markup=False
                ),
            )
            console.print(f"worker {worker.name} takes runs; SIGTERM ends it", markup=False)
            with shown_metrics():
                asyncio.run(_observed(worker))
    console.print("worker ended", markup=False)
    return 0


async def _observed(worker: Worker) -> None:
    async with observed():
        await worker.serve()
