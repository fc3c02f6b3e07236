"""Run the tool calls of one reply: together, within their time, approved where it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.runnables import RunnableConfig

from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.desk import Desk, Request
from langchain_kimi.swarm.failures import describe
from langchain_kimi.swarm.records import storable
from langchain_kimi.swarm.state import AgentState
from langchain_kimi.swarm.subagents import BoundTool


class ToolRunner:
    """Runs tool calls for a sub-agent, or for the orchestrator (`agent` is None).

    A tool that fails gives an error message to the model; it never ends the sub-agent.
    """

    def __init__(
        self,
        desk: Desk,
        tools: Mapping[str, BoundTool],
        config: RunnableConfig,
        agent: AgentState | None,
    ) -> None:
        self._desk = desk
        self._tools = tools
        self._config = config
        self._agent = agent
        self._id = agent.id if agent is not None else ""

    def touches_world(self, reply: AIMessage) -> bool:
        """Whether a call of this reply must find the reply on disk before it runs."""
        names = self._desk.own_tools.names
        return any(
            call["name"] in names or (tool is not None and tool.side_effects)
            for call in reply.tool_calls
            for tool in [self._tools.get(call["name"])]
        )

    async def run(self, reply: AIMessage) -> list[ToolMessage]:
        """Return one message for each call, in the order of the calls."""
        calls = reply.tool_calls
        if len(calls) == 1 and calls[0]["name"] in self._tools:
            messages = [await self._one(reply, calls[0], 0)]
        else:
            messages = await self._many(reply)
        for call in reply.invalid_tool_calls:
            text = f"The arguments are not valid JSON: {call.get('error') or call.get('args')}"
            messages.append(_error(call.get("id"), call.get("name"), text))
        return messages

    async def _many(self, reply: AIMessage) -> list[ToolMessage]:
        own = self._desk.own_tools
        mine = [call for call in reply.tool_calls if call["name"] in own.names]
        try:
            async with asyncio.TaskGroup() as group:
                answers = group.create_task(own.answer(reply, mine, self._agent)) if mine else None
                others = [
                    group.create_task(self._one(reply, call, place))
                    for place, call in enumerate(reply.tool_calls)
                    if call["name"] not in own.names
                ]
        except* JournalError as errors:
            raise errors.exceptions[0] from None
        told = iter(answers.result() if answers is not None else ())
        ran = iter(task.result() for task in others)
        return [next(told) if call["name"] in own.names else next(ran) for call in reply.tool_calls]

    async def _one(self, reply: AIMessage, call: ToolCall, place: int) -> ToolMessage:
        bound = self._tools.get(call["name"])
        if bound is None:
            text = f"There is no tool {call['name']!r}. There are: {', '.join(self._tools)}."
            return _error(call["id"], call["name"], text)
        note = ""
        if call["name"] in self._desk.approvals:
            key = self._desk.key(self._agent, reply, call, place)
            decided = await self._approved(call, key)
            if isinstance(decided, ToolMessage):
                return decided
            if decided is not call:
                call, note = decided, "A person changed the call before it ran.\n"
        message = await self._invoke(bound, reply, call, place)
        if note:
            message.content = f"{note}{message.text}"
        return message

    async def _approved(self, call: ToolCall, key: str) -> ToolCall | ToolMessage:
        """Return the call as a person wants it, or the answer that stands for its result."""
        request = Request(
            key=key,
            agent=self._id,
            name=call["name"],
            args=call["args"],
            allowed=tuple(self._desk.approvals[call["name"]]),
            description=f"{self._id or 'The orchestrator'} wants to run this tool.",
        )
        decision = await self._desk.ask(request)
        if decision["type"] == "approve":
            return call
        if decision["type"] == "edit":
            edited = decision["edited_action"]
            return {**call, "name": edited["name"], "args": edited["args"]}
        if decision["type"] == "respond":
            return ToolMessage(decision["message"], tool_call_id=call["id"], name=call["name"])
        reason = decision.get("message") or "Do not try the same call again unless asked to."
        return _error(call["id"], call["name"], f"A person rejected this call. {reason}")

    async def _invoke(
        self, bound: BoundTool, reply: AIMessage, call: ToolCall, place: int
    ) -> ToolMessage:
        config = self._config
        request: dict[str, Any] = {**call, "type": "tool_call"}
        if bound.side_effects or bound.runtime_parameter:
            config, request = self._inject(bound, reply, request, place)
        self._desk.tools_at_work += 1
        try:
            async with asyncio.timeout(self._desk.timeouts.tool):
                result = await bound.tool.ainvoke(request, config)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - the model is told, and may do otherwise
            return _error(call["id"], call["name"], describe(error))
        finally:
            self._desk.tools_at_work -= 1
        if not isinstance(result, ToolMessage):
            return ToolMessage(storable(str(result)), tool_call_id=call["id"], name=call["name"])
        if isinstance(result.content, str) and not result.content.isascii():
            result.content = storable(result.content)  # half a surrogate pair is no JSON
        return result

    def _inject(
        self, bound: BoundTool, reply: AIMessage, request: dict[str, Any], place: int
    ) -> tuple[RunnableConfig, dict[str, Any]]:
        desk, args = self._desk, dict(request["args"])
        call = ToolCall(name=request["name"], args=args, id=request["id"])
        key = desk.key(self._agent, reply, reply.tool_calls[place], place)
        config: RunnableConfig = {
            **self._config,
            "configurable": {**self._config.get("configurable", {}), "idempotency_key": key},
        }
        if bound.key_parameter:
            args[bound.key_parameter] = key
        if bound.runtime_parameter:
            args[bound.runtime_parameter] = ToolRuntime(
                state={"messages": self._agent.messages if self._agent is not None else []},
                context=desk.context,
                config=config,
                stream_writer=lambda text: desk.events.tell("note", agent=self._id, text=str(text)),
                tool_call_id=call["id"],
                store=desk.store,
            )
        return config, {**request, "args": args}


def _error(call: str | None, name: str | None, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=call or "", name=name, status="error")
