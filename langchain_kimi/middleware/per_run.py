"""Model, tools and prompt chosen per run from the run's context."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from langchain.agents.middleware import (
    AgentMiddleware,
    AgentState,
    ModelRequest,
    ModelResponse,
    ToolCallRequest,
)
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage, ToolMessage
from langchain_core.tools import BaseTool
from langgraph.types import Command

ToolResult = ToolMessage | Command[Any]


class PerRun(AgentMiddleware[AgentState[Any], Any, Any]):
    """Let a graph that was compiled once take model, tools and prompt from `Runtime.context`.

    Each argument is a function of the context; None leaves what the agent was created with. The
    functions are called at each step, so they should be cheap, or cache; an asynchronous run
    calls them in a thread, so they may block.
    """

    def __init__(
        self,
        *,
        model: Callable[[Any], BaseChatModel] | None = None,
        tools: Callable[[Any], Sequence[BaseTool]] | None = None,
        prompt: Callable[[Any], str | None] | None = None,
    ) -> None:
        """Set the functions.

        Args:
            model: The chat model of the run.
            tools: Tools of the run, beside those that the agent was created with.
            prompt: The system prompt of the run; None keeps the agent's own.
        """
        super().__init__()
        self.model = model
        self.run_tools = tools
        self.prompt = prompt

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the run's model with the run's tools and prompt."""
        return handler(self._adapted(request))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Call the run's model with the run's tools and prompt."""
        return await handler(await asyncio.to_thread(self._adapted, request))

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolResult]
    ) -> ToolResult:
        """Run one of the run's tools."""
        return handler(self._with_tool(request))

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolResult]]
    ) -> ToolResult:
        """Run one of the run's tools."""
        return await handler(await asyncio.to_thread(self._with_tool, request))

    def _adapted(self, request: ModelRequest[Any]) -> ModelRequest[Any]:
        context = request.runtime.context
        if self.model is not None:
            request = request.override(model=self.model(context))
        if self.run_tools is not None:
            request = request.override(tools=[*request.tools, *self.run_tools(context)])
        prompt = self.prompt(context) if self.prompt is not None else None
        if prompt is not None:
            request = request.override(system_message=SystemMessage(content=prompt))
        return request

    def _with_tool(self, request: ToolCallRequest) -> ToolCallRequest:
        if self.run_tools is None or request.tool is not None:
            return request
        for tool in self.run_tools(request.runtime.context):
            if tool.name == request.tool_call["name"]:
                return request.override(tool=tool)
        return request
