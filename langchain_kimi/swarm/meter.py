"""What happens inside a runnable: model calls counted as steps, kept to the limits."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from langchain_kimi.swarm.budgets import Grant, Verdict
from langchain_kimi.swarm.desk import Desk
from langchain_kimi.swarm.failures import Remedy, remedy, retry_after
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.state import AgentState


class OverBudgetError(Exception):
    """Raised inside a runnable when its next model call would pass a limit."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict


class Meter(AsyncCallbackHandler):
    """Counts and journals the model calls inside a runnable; each is a sign of life."""

    raise_error = True
    run_inline = True

    def __init__(self, agent: AgentState, desk: Desk, alive: asyncio.Timeout) -> None:
        self._agent = agent
        self._desk = desk
        self._alive = alive
        self._idle = desk.timeouts.idle
        self._entered: dict[UUID, float] = {}
        self._began: dict[UUID, float] = {}

    async def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        **kwargs: Any,
    ) -> None:
        """Ask the ledger for a step, and wait at the gate."""
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
        self._began[run_id] = time.time()
        self._touch()

    async def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        """Take a token as a sign of life."""
        self._touch()

    async def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """Count the reply, and write it down: what was paid for counts after a restart too."""
        agent = self._agent
        self._desk.limiter.succeeded()
        began = self._leave(run_id)
        for generation in response.generations[0][:1]:
            message = generation.message if isinstance(generation, ChatGeneration) else None
            if isinstance(message, AIMessage):
                reply = AIMessage(
                    message.content,
                    id=message.id,
                    usage_metadata=message.usage_metadata,
                    response_metadata=message.response_metadata,
                )
                body: dict[str, Any] = {
                    "message": reply.model_copy(update={"content": ""}),
                    "t": (began, time.time()),
                    "inner": True,
                }
                if agent.usage.steps == agent.offset_steps == 0:
                    body["begin"] = ("", agent.messages[0].text)
                self._desk.ledger.done(agent.id, agent.usage, reply)
                agent.messages.append(reply)
                await self._desk.log.append(Record(Kind.REPLY, agent.id, body))
                self._desk.events.of("step", agent, text=reply.text[:80])

    async def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """Take the grant back: a call that failed is no step. A 429 slows the whole tree."""
        self._desk.ledger.refund(self._agent.id)
        entered = self._entered.get(run_id)
        if entered is not None and remedy(error) is Remedy.REQUEUE:
            self._desk.limiter.throttled(entered, retry_after(error))
        self._leave(run_id)

    async def on_tool_start(self, *args: Any, **kwargs: Any) -> None:
        """Take a tool's start as a sign of life."""
        self._touch()

    def _leave(self, run_id: UUID) -> float:
        """Give the place back; return when it was taken."""
        if self._entered.pop(run_id, None) is not None:
            self._desk.limiter.leave()
        self._touch()
        return self._began.pop(run_id, time.time())

    def _touch(self) -> None:
        if self._idle is not None:
            self._alive.reschedule(asyncio.get_running_loop().time() + self._idle)
