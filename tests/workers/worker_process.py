"""A worker in a process of its own: `python worker_process.py WHERE BASE_URL LOG [concurrency]`."""

import asyncio
import sys
from pathlib import Path

from langchain_core.tools import tool

from langchain_kimi import ChatKimi
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.workers import Worker


def main(where: str, base_url: str, log: str, concurrency: str = "3", grace: str = "20") -> None:
    """Work until SIGTERM; each end of a run, and each use of the tool, is a line of the log."""

    def note(line: str) -> None:
        with Path(log).open("a") as file:
            file.write(line + "\n")

    @tool
    def mark(word: str) -> str:
        """Mark a word."""
        note(f"mark {word}")
        return "marked"

    llm = ChatKimi(base_url=base_url, api_key="x", endpoint="vllm")
    worker = Worker(
        lambda journal, saver: create_background_agent(
            llm, [mark], journal=journal, checkpointer=saver
        ),
        where,
        concurrency=int(concurrency),
        grace=float(grace),
        notify=lambda told: note(f"end {told['run']} {told['status']}"),
    )
    print("ready", flush=True)
    asyncio.run(worker.serve())
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
