"""A worker in a process of its own: `python _worker.py WHERE BASE_URL LOG CONCURRENCY`."""

import asyncio
import sys
from pathlib import Path

from langchain_kimi import ChatKimi
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.workers import Worker

where, base_url, log, concurrency = sys.argv[1:]


def note(told: dict[str, object]) -> None:
    """Write down that a run ended."""
    with Path(log).open("a") as file:
        file.write(f"{told['run']}\n")


llm = ChatKimi(base_url=base_url, api_key="none", endpoint="vllm")
worker = Worker(
    lambda journal, saver: create_background_agent(llm, journal=journal, checkpointer=saver),
    where,
    concurrency=int(concurrency),
    notify=note,
)
asyncio.run(worker.serve())
