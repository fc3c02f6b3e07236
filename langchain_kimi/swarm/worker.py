"""The loop of one sub-agent: a model call, its tool calls, on disk, again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.budgets import Grant, Verdict
from langchain_kimi.swarm.compaction import compact
from langchain_kimi.swarm.desk import Desk, last_words
from langchain_kimi.swarm.failures import Remedy, describe, remedy, retry_after
from langchain_kimi.swarm.outcome import Outcome
from langchain_kimi.swarm.records import Kind, Record
from langchain_kimi.swarm.state import AgentState, Span
from langchain_kimi.swarm.subagents import SUBMIT, Bound
from langchain_kimi.swarm.tool_runner import ToolRunner

WRAP_UP = (
    "You have reached {reason}. This is your last step: call no more tools except to hand in a "
    "result; give what you have now, and say what is missing."
)
_NUDGE = "Your reply was empty. Go on with the task, or give your result."
_SUBMIT_NUDGE = f"Hand in your result by calling `{SUBMIT}`."
_MOST_NUDGES = 2


class RequeueError(Exception):
    """The server is busy: the sub-agent goes back into the queue with its context."""


class HopelessError(Exception):
    """The error that every sub-agent would meet."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Worker:
    """Runs one sub-agent to its end.

    Args:
        agent: The sub-agent; its conversation and counts are kept up to date here.
        bound: Its kind.
        desk: The services of the run.
        stopped: Whether it was told to stop. Looked at before each step.
    """

    def __init__(
        self, agent: AgentState, bound: Bound, desk: Desk, stopped: Callable[[], bool]
    ) -> None:
        self.agent = agent
        self.bound = bound
        self.desk = desk
        self._stopped = stopped
        self._config: RunnableConfig = {}
        self._before: list[AnyMessage] = []
        self._nudges = 0
        self._runner = ToolRunner(desk, bound.tools, self._config, agent)

    async def run(self) -> Outcome:
        """Work until there is a result, a limit, or an error that nothing helps against.

        Raises:
            RequeueError: The server is busy.
            HopelessError: Every sub-agent would fail the same way.
            JournalError: A step could not be made safe.
        """
        self._config.update(self.desk.config_of(self.agent.id, self.agent.label))
        outcome = await self._finish_open_step()
        while outcome is None:
            outcome = await self._step()
        return outcome

    async def _finish_open_step(self) -> Outcome | None:
        """After a restart: a reply is on disk, the results of its calls are not."""
        agent = self.agent
        last = agent.messages[-1] if agent.messages else None
        if agent.reply is not None:
            return await self._act(agent.reply, last_step=False)
        return self._read(last) if isinstance(last, AIMessage) else None

    async def _step(self) -> Outcome | None:
        desk, agent = self.desk, self.agent
        if not desk.open_gate.is_set():
            await desk.open_gate.wait()
        if self._stopped():
            raise asyncio.CancelledError
        if agent.context_tokens > desk.compaction.tokens and desk.compaction.strategy != "none":
            self._compact()
        reply, verdict = await self._call()
        if reply is None:
            return Outcome("partial", last_words(agent.messages), reason=_stopped_at(verdict))
        desk.events.of("step", agent, text=_doing(reply))
        last_step = verdict.grant is Grant.LAST
        outcome = await self._act(reply, last_step=last_step)
        if last_step and outcome is None:
            return Outcome("partial", last_words(agent.messages), reason=_stopped_at(verdict))
        if last_step and outcome is not None and outcome.status == "done":
            return Outcome("partial", outcome.result, outcome.data, _stopped_at(verdict))
        return outcome

    async def _call(self) -> tuple[AIMessage | None, Verdict]:
        """Call the model once, again where that helps; no reply when no step is granted."""
        desk, agent = self.desk, self.agent
        failed = 0
        while True:
            worked = time.time() - agent.started
            verdict = desk.ledger.step(
                agent.id,
                agent.usage,
                expect=agent.context_tokens,
                critical=agent.path_steps + agent.usage.steps - agent.offset_steps,
                seconds=worked,
            )
            if verdict.grant is Grant.NONE:
                return None, verdict
            if verdict.grant is Grant.LAST:
                self._say(WRAP_UP.format(reason=verdict.reason))
            try:
                return await self._try(), verdict
            except (RequeueError, HopelessError, JournalError):
                raise
            except Exception as error:  # noqa: BLE001 - sorted by kind in _recover
                failed += 1
                await self._recover(error, failed)

    async def _try(self) -> AIMessage:
        desk, agent = self.desk, self.agent
        entered = 0.0
        place = False
        try:
            entered = await desk.limiter.enter()
            place = True
            start = time.time()
            async with asyncio.timeout(desk.timeouts.call):
                reply: AIMessage = await self.bound.model.ainvoke(
                    agent.messages + self._before if self._before else agent.messages,
                    self._config,
                    **self.bound.settings,
                )
        except BaseException as error:
            desk.ledger.refund(agent.id)
            if isinstance(error, Exception) and remedy(error) is Remedy.REQUEUE:
                desk.limiter.throttled(entered, retry_after(error))
                agent.requeues += 1
                if agent.requeues <= desk.retry.requeues:
                    raise RequeueError from error
            raise
        finally:
            if place:
                desk.limiter.leave()
        desk.limiter.succeeded()
        self._book(reply, Span("model", start, time.time()))
        return reply

    def _book(self, reply: AIMessage, span: Span) -> None:
        """Count a reply, add it to the conversation, and write it down."""
        agent = self.agent
        if reply.id is None:
            reply.id = f"{agent.id}-{agent.usage.steps}"
        body: dict[str, Any] = {"message": reply, "t": (span.start, span.end)}
        if not agent.usage.steps:
            first = agent.messages
            body["begin"] = (
                first[0].text if first[0].type == "system" else "",
                first[1 if first[0].type == "system" else 0].text,
            )
        if self._before:
            body["before"] = self._before
            agent.take(self._before)
            self._before = []
        self.desk.ledger.done(agent.id, agent.usage, reply)
        agent.spans.append(span)
        agent.take_reply(reply)
        self.desk.log.post(Record(Kind.REPLY, agent.id, body))

    async def _recover(self, error: Exception, failed: int) -> None:
        """Do what helps against an error, or raise it."""
        desk, agent = self.desk, self.agent
        what = remedy(error)
        if what is Remedy.HOPELESS:
            raise HopelessError(describe(error)) from error
        if what in (Remedy.FAIL, Remedy.REQUEUE) or failed >= desk.retry.attempts:
            raise error
        agent.retries += 1
        if what is Remedy.SHRINK:
            if desk.compaction.strategy == "none":
                raise error
            self._compact()
            return
        await asyncio.sleep(desk.retry.pause(failed))

    async def _act(self, reply: AIMessage, *, last_step: bool) -> Outcome | None:
        """Run a reply's tool calls and write the step down; an outcome when it is the last."""
        agent, desk = self.agent, self.desk
        if agent.reply is None:
            return self._read(reply)
        start = time.time()
        submitted, errors = self._submitted(reply)
        if submitted is not None:
            return submitted
        if last_step:
            messages = [_refused(call["id"], call["name"]) for call in reply.tool_calls]
        else:
            if self._runner.touches_world(reply):
                await desk.log.append()
            messages = errors or await self._runner.run(reply)
        agent.take(messages)
        agent.reply = None
        span = Span("tools", start, time.time())
        agent.spans.append(span)
        body = {"messages": messages, "t": (span.start, span.end)}
        await desk.log.append(Record(Kind.TOOLS, agent.id, body))
        return None

    def _submitted(self, reply: AIMessage) -> tuple[Outcome | None, list[ToolMessage]]:
        """Return the typed result that a reply hands in, or what is wrong with it."""
        if self.bound.check is None:
            return None, []
        for call in reply.tool_calls:
            if call["name"] == SUBMIT:
                break
        else:
            return None, []
        try:
            data = self.bound.check(call["args"])
        except Exception as error:  # noqa: BLE001 - pydantic's and jsonschema's errors alike
            text = f"The result does not fit its schema: {str(error)[:2000]}"
            return None, [
                ToolMessage(text, tool_call_id=c["id"] or "", name=c["name"], status="error")
                for c in reply.tool_calls
            ]
        return Outcome("done", reply.text, data), []

    def _read(self, reply: AIMessage) -> Outcome | None:
        """Take a reply without tool calls as the result, or ask for one."""
        wants_type = self.bound.check is not None
        if not wants_type and reply.text.strip():
            return Outcome("done", reply.text)
        self._nudges += 1
        if self._nudges > _MOST_NUDGES:
            reason = "no result in its type" if wants_type else "empty replies"
            return Outcome("failed", last_words(self.agent.messages), reason=reason)
        self._say(_SUBMIT_NUDGE if wants_type else _NUDGE)
        return None

    def _say(self, text: str) -> None:
        """Add words to the model before the next call, once."""
        if not any(message.text == text for message in self._before):
            self._before.append(HumanMessage(text))

    def _compact(self) -> None:
        agent = self.agent
        agent.messages, agent.context_tokens = compact(
            agent.messages, agent.context_tokens, self.desk.compaction
        )
        self.desk.events.of("note", agent, text="hid old tool results to save room")


def _stopped_at(verdict: Verdict) -> str:
    return f"stopped at {verdict.reason}"


def _doing(reply: AIMessage) -> str:
    return ", ".join(call["name"] for call in reply.tool_calls) or reply.text[:80]


def _refused(call: str | None, name: str) -> ToolMessage:
    text = "Not run: this was your last step."
    return ToolMessage(text, tool_call_id=call or "", name=name, status="error")
