"""A sub-agent whose work is done by any runnable or compiled graph."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel
from langgraph.types import Command, Interrupt
from pydantic import BaseModel

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.desk import Desk, Request, last_words
from langchain_kimi.swarm.failures import Remedy, describe, remedy
from langchain_kimi.swarm.meter import Meter, OverBudgetError
from langchain_kimi.swarm.outcome import Outcome
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.resume import is_unfinished
from langchain_kimi.swarm.state import AgentState, Span
from langchain_kimi.swarm.subagents import Bound
from langchain_kimi.swarm.worker import HopelessError, RequeueError

_ASKS = "__interrupt__"
_NOWHERE_TO_WAIT = (
    "it asks a person, and has nowhere to wait for the answer: give the graph, or the background "
    "agent, a checkpointer"
)


class RunnableWorker:
    """Runs a runnable to its end.

    A graph with a checkpointer, its own or the outer graph's, goes on where it was after a
    restart. Anything else begins anew, for its inside is its own.
    """

    def __init__(self, agent: AgentState, bound: Bound, desk: Desk) -> None:
        self.agent = agent
        self.bound = bound
        self.desk = desk

    async def run(self) -> Outcome:
        """Run the runnable to its end, a limit, or its error.

        Raises:
            RequeueError: The server is busy, and the graph can go on later.
            HopelessError: Every sub-agent would fail the same way.
        """
        start = time.time()
        try:
            output = await self._again_where_that_helps()
        except OverBudgetError as error:
            reason = f"stopped at {error.verdict.reason}"
            return Outcome("partial", last_words(self.agent.messages), reason=reason)
        except _SilentError:
            reason = f"no sign of life for {self.desk.timeouts.idle:g} s"
            return Outcome("failed", last_words(self.agent.messages), reason=reason)
        if isinstance(output, Mapping) and output.get(_ASKS):
            return Outcome("failed", last_words(self.agent.messages), reason=_NOWHERE_TO_WAIT)
        return self._read(output, Span("model", start, time.time()))

    async def _again_where_that_helps(self) -> Any:
        """Run it; a graph that keeps its steps goes on after an error that may pass."""
        agent, retry, failed = self.agent, self.desk.retry, 0
        while True:
            try:
                return await self._run()
            except (OverBudgetError, _SilentError, JournalError):
                raise
            except Exception as error:
                failed += 1
                what = remedy(error)
                if what is Remedy.HOPELESS:
                    raise HopelessError(describe(error)) from error
                if self.bound.graph is None:
                    raise
                if what is Remedy.REQUEUE and agent.requeues < retry.requeues:
                    agent.requeues += 1
                    raise RequeueError from error
                if what is not Remedy.RETRY or failed >= retry.attempts:
                    raise
                agent.retries += 1
            await asyncio.sleep(retry.pause(failed))

    async def _run(self) -> Any:
        graph, runnable = self.bound.graph, self.bound.spec.runnable
        if runnable is None:
            msg = f"The sub-agent {self.bound.spec.name!r} has no runnable."
            raise ValueError(msg)
        begin: Any = {"messages": list(self.agent.messages)}
        if graph is None:
            return await self._while_alive(partial(runnable.ainvoke, begin))
        state = await graph.aget_state(self._config())
        known = state.values.get("messages") if isinstance(state.values, dict) else None
        if is_unfinished(state):
            begin = None
        elif known:
            asked = next(m for m in reversed(self.agent.messages) if m.type == "human")
            if any(m.type == "human" and m.text == asked.text for m in known):
                return state.values
            begin = {"messages": [asked]}
        return await self._asking(graph, begin)

    async def _asking(self, graph: Pregel[Any, Any, Any, Any], begin: Any) -> Any:
        """Run a graph that may ask a person; the siblings work on while it waits."""
        while True:
            output = await self._while_alive(partial(graph.ainvoke, begin, durability="sync"))
            asked = output.get(_ASKS) if isinstance(output, Mapping) else None
            if not asked:
                return output
            begin = Command(resume={one.id: await self._answer(one) for one in asked})

    async def _answer(self, asked: Interrupt) -> Any:
        """Put an interrupt before a person: in the HITL schema as it is, else as a question."""
        value, hitl = (
            asked.value,
            isinstance(asked.value, Mapping) and "action_requests" in asked.value,
        )
        if not hitl:
            value = {
                "action_requests": [{"name": "answer", "args": {"question": value}}],
                "review_configs": [{"action_name": "answer", "allowed_decisions": ["respond"]}],
            }
        allowed = {c["action_name"]: tuple(c["allowed_decisions"]) for c in value["review_configs"]}
        requests = [
            Request(
                key=f"{self.agent.id}/{asked.id}/{place}",
                agent=self.agent.id,
                name=action["name"],
                args=action["args"],
                allowed=allowed[action["name"]],
                description=f"{self.agent.id} asks. {action.get('description', '')}".strip(),
            )
            for place, action in enumerate(value["action_requests"])
        ]
        decisions = await asyncio.gather(*map(self.desk.ask, requests))
        return {"decisions": decisions} if hitl else decisions[0]["message"]

    async def _while_alive(self, work: Callable[..., Awaitable[Any]]) -> Any:
        try:
            async with asyncio.timeout(self.desk.timeouts.idle) as alive:
                return await work(config=self._config(Meter(self.agent, self.desk, alive)))
        except TimeoutError as error:
            if not alive.expired():
                raise
            raise _SilentError from error

    def _config(self, meter: Meter | None = None) -> RunnableConfig:
        """Return a configuration of its own: a graph inside must not write to our thread."""
        agent = self.agent
        config = self.desk.config_of(agent.id, agent.label)
        callbacks = config.get("callbacks")
        if meter is not None and isinstance(callbacks, BaseCallbackManager):
            callbacks = callbacks.copy()
            callbacks.add_handler(meter, inherit=True)
            config["callbacks"] = callbacks
        elif meter is not None:
            config["callbacks"] = [*(callbacks if isinstance(callbacks, list) else ()), meter]
        config["configurable"] = {"thread_id": thread_of(self.desk.state.run, agent.id)}
        return config

    def _read(self, output: Any, span: Span) -> Outcome:
        """Take a state with messages, a message, a text, or plain data as the result."""
        messages = output.get("messages") if isinstance(output, Mapping) else None
        last = messages[-1] if messages else output
        text = last.text if isinstance(last, BaseMessage) else str(last)
        data = output.get("structured_response") if isinstance(output, Mapping) else None
        if isinstance(data, BaseModel):
            data = data.model_dump(mode="json")
        agent = self.agent
        agent.spans.append(span)
        body: dict[str, Any] = {
            "message": AIMessage(text, id=f"{agent.id}-end"),
            "t": (span.start, span.end),
            "steps": 0,
        }
        if not agent.usage.steps:
            body["begin"] = ("", agent.prompt)
        self.desk.log.post(Record(Kind.REPLY, agent.id, body))
        return Outcome("done", text, data)


class _SilentError(Exception):
    """A runnable gave no sign of life for too long."""


def thread_of(run: str, agent: str) -> str:
    """Return the name of the thread in which a sub-agent's graph keeps its steps."""
    return f"{run}/{agent}"
