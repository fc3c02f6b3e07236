"""Answer what is asked of a worker that drains: its engine takes nothing from a queue then."""

from __future__ import annotations

import asyncio
from typing import Any

from dbos import DBOSClient

from langchain_kimi.workers import engine
from langchain_kimi.workers.runner import Runner


class Answering:
    """Takes what is asked past the engine; the answer is an attribute of the question."""

    def __init__(self, runner: Runner, client: DBOSClient, worker: str) -> None:
        """Set it up.

        Args:
            runner: The runs at work.
            client: The queue.
            worker: The name of the worker that drains.
        """
        self._runner = runner
        self._client = client
        self._worker = worker
        self._seen: set[str] = set()

    async def look(self) -> None:
        """Answer what was there at the last look, too: what the engine did not take just then."""
        found = await asyncio.to_thread(
            self._client.list_workflows,
            name=engine.CONTROL,
            queue_name=engine.control_queue(self._worker),
            status="ENQUEUED",
        )
        for one in found:
            if one.workflow_id in self._seen and not one.attributes and one.input is not None:
                await self._answer(one.workflow_id, *one.input["args"])
        self._seen = {one.workflow_id for one in found}

    async def _answer(self, question: str, run: str, command: str, argument: Any) -> None:
        answer = await self._runner.control(run, command, argument)
        if answer is not None:
            await asyncio.to_thread(
                self._client.update_workflow_attributes, question, {engine.ANSWER: answer}
            )
