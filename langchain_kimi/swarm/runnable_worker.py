"""A sub-agent whose work is done by any runnable or compiled graph."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackManager
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

from langchain_kimi.swarm.budgets import Grant, Verdict
from langchain_kimi.swarm.desk import Desk, last_words
from langchain_kimi.swarm.outcome import Outcome
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.state import AgentState, Span
from langchain_kimi.swarm.subagents import Bound


class OverBudgetError(Exception):
    """Raised inside a runnable when its next model call would pass a limit."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class _Meter(AsyncCallbackHandler):
    """Counts the model calls inside a runnable as steps, and keeps to the limits."""

    raise_error = True
    run_inline = True

    def __init__(self, agent: AgentState, desk: Desk, alive: asyncio.Timeout) -> None:
        self._agent = agent
        self._desk = desk
        self._alive = alive
        self._idle = desk.timeouts.idle
        self._entered: dict[UUID, float] = {}

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        agent, desk = self._agent, self._desk
        verdict = desk.ledger.step(
            agent.id,
            agent.usage,
            expect=agent.context_tokens,
            critical=agent.path_steps + agent.usage.steps - agent.offset_steps,
            seconds=time.time() - agent.started,
        )
        if verdict.grant is Grant.NONE:
            raise OverBudgetError(verdict)
        self._entered[run_id] = await desk.limiter.enter()
        self._touch()

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self._touch()

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        self._leave(run_id)
        for generation in response.generations[0][:1]:
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if isinstance(message, AIMessage):
                reply = AIMessage(
                    message.content,
                    id=message.id,
                    usage_metadata=message.usage_metadata,
                    response_metadata=message.response_metadata,
                )
                self._desk.ledger.done(self._agent.id, self._agent.usage, reply)
                self._agent.messages.append(reply)
                self._desk.events.of("step", self._agent, text=reply.text[:80])

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._desk.ledger.refund(self._agent.id)
        self._leave(run_id)

    async def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        self._touch()

    def _leave(self, run_id: UUID) -> None:
        if self._entered.pop(run_id, None) is not None:
            self._desk.limiter.leave()
        self._touch()

    def _touch(self) -> None:
        if self._idle is not None:
            self._alive.reschedule(asyncio.get_running_loop().time() + self._idle)


class RunnableWorker:
    """Runs a runnable once; after a restart it begins anew, for its inside is its own."""

    def __init__(self, agent: AgentState, bound: Bound, desk: Desk) -> None:
        self.agent = agent
        self.bound = bound
        self.desk = desk

    async def run(self) -> Outcome:
        """Run the runnable to its end, a limit, or its error."""
        agent, runnable = self.agent, self.bound.spec.runnable
        if runnable is None:
            msg = f"The sub-agent {self.bound.spec.name!r} has no runnable."
            raise ValueError(msg)
        start = time.time()
        try:
            async with asyncio.timeout(self.desk.timeouts.idle) as alive:
                output = await runnable.ainvoke(
                    {"messages": list(agent.messages)}, self._config(alive)
                )
        except OverBudgetError as error:
            reason = f"stopped at {error.verdict.reason}"
            return Outcome("partial", last_words(agent.messages), reason=reason)
        except TimeoutError:
            if not alive.expired():
                raise
            reason = f"no sign of life for {self.desk.timeouts.idle:g} s"
            return Outcome("failed", last_words(agent.messages), reason=reason)
        return self._read(output, Span("model", start, time.time()))

    def _config(self, alive: asyncio.Timeout) -> RunnableConfig:
        """Return a configuration of its own: a graph inside must not write to our thread."""
        agent = self.agent
        config = self.desk.config_of(agent.id, agent.label)
        callbacks = config.get("callbacks")
        meter = _Meter(agent, self.desk, alive)
        if isinstance(callbacks, BaseCallbackManager):
            callbacks = callbacks.copy()
            callbacks.add_handler(meter, inherit=True)
            config["callbacks"] = callbacks
        else:
            config["callbacks"] = [*(callbacks or []), meter]
        config["configurable"] = {"thread_id": f"{self.desk.state.run}/{agent.id}"}
        return config

    def _read(self, output: Any, span: Span) -> Outcome:
        """Take a state with messages, a message, a text, or plain data as the result."""
        messages = output.get("messages") if isinstance(output, dict) else None
        last = messages[-1] if messages else output
        text = last.text if isinstance(last, BaseMessage) else str(last)
        data = output.get("structured_response") if isinstance(output, dict) else None
        if isinstance(data, BaseModel):
            data = data.model_dump(mode="json")
        agent = self.agent
        usage = agent.usage
        summary = AIMessage(
            text,
            id=f"{agent.id}-end",
            usage_metadata={
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "total_tokens": usage.tokens,
            },
        )
        agent.spans.append(span)
        body = {
            "message": summary,
            "t": (span.start, span.end),
            "begin": ("", agent.prompt),
            "steps": usage.steps,
        }
        self.desk.log.post(Record(Kind.REPLY, agent.id, body))
        return Outcome("done", text, data)
