"""A worker in a process of its own: `python worker_process.py WHERE BASE_URL LOG [concurrency]`."""

import asyncio
import os
import sys
import time
from pathlib import Path

from langchain_core.tools import tool

from langchain_kimi import ChatKimi
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.workers import Worker, takeover

POISON, BLOCKING = "word-666", "word-3600"
"""Words that kill the process, and that block a thread for an hour."""

takeover.SUSPECT_AFTER = takeover.MOST_DEATHS = 1


def main(where: str, base_url: str, log: str, concurrency: str = "3", grace: str = "20") -> None:
    """Work until SIGTERM; each end of a run, and each use of the tool, is a line of the log."""

    def note(line: str) -> None:
        with Path(log).open("a") as file:
            file.write(line + "\n")

    @tool
    def mark(word: str) -> str:
        """Mark a word."""
        if word == POISON:
            os._exit(9)
        if word == BLOCKING:
            note(f"block {word}")
            time.sleep(3600)
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
        ends_process=True,
        notify=lambda told: note(f"end {told['run']} {told['status']}"),
    )
    print("ready", flush=True)
    asyncio.run(worker.serve())
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
