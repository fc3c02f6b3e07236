"""What `create_tool_agent` refuses at once, instead of in the middle of a run."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.middleware import Budget

logger = logging.getLogger(__name__)

_Middleware = AgentMiddleware[Any, Any, Any]


def check_arguments(model: Any, tools: Any, budget: Any) -> None:
    """Check the kinds of what an agent is made of.

    Raises:
        KimiInvalidInputError: When one is of a kind that no run could use.
    """
    if not (model is None or isinstance(model, str | Runnable)):
        msg = f"model is {_kind(model)}, no chat model. Give one, the id of a Kimi model, or None."
        raise KimiInvalidInputError(msg)
    if tools is not None and (isinstance(tools, str) or not isinstance(tools, Sequence)):
        msg = f"tools is {_kind(tools)}, no list. Give a list of functions, tools or tool dicts."
        raise KimiInvalidInputError(msg)
    for number, tool in enumerate(tools or ()):
        if not (isinstance(tool, BaseTool | Mapping) or callable(tool)):
            msg = f"tools[{number}] is {_kind(tool)}, no tool. Give a function, tool or tool dict."
            raise KimiInvalidInputError(msg)
    if not (budget is None or isinstance(budget, Budget) or callable(budget)):
        msg = f"budget is {_kind(budget)}, no budget. Give Budget(steps=..., tokens=...)."
        raise KimiInvalidInputError(msg)


def check_approvals(
    asked: Mapping[str, Any], tools: Sequence[Any], middleware: Sequence[_Middleware]
) -> None:
    """Check that each tool whose calls a person approves is one of the agent's.

    A misspelt name would let the tool run unasked. Middleware that wraps tool calls can bring
    tools that are known in a run only; with such a one, an unknown name is told in the log.

    Raises:
        KimiInvalidInputError: When the agent can have no tool of a name.
    """
    known = {name for tool in tools for name in _names(tool)}
    known |= {tool.name for one in middleware for tool in getattr(one, "tools", ())}
    for name in (name for name, wanted in asked.items() if wanted and name not in known):
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Its tools: {sorted(known)}."
        msg = f"interrupt_on names {name!r}, which is no tool of the agent. {advice}"
        if not any(map(_brings_tools, middleware)):
            raise KimiInvalidInputError(msg)
        logger.warning("%s A tool that comes in a run by another name runs unasked.", msg)


def _kind(value: Any) -> str:
    """Name the type alone: a value may hold a key."""
    return f"of type {type(value).__name__}"


def _names(tool: BaseTool | Mapping[str, Any] | Callable[..., Any]) -> list[str]:
    if isinstance(tool, BaseTool):
        return [tool.name]
    if not isinstance(tool, Mapping):
        return [getattr(tool, "__name__", "")]
    function = tool.get("function")
    given = function if isinstance(function, Mapping) else tool
    return [str(given[key]) for key in ("name", "title") if given.get(key)]


def _brings_tools(middleware: _Middleware) -> bool:
    """Say whether middleware could run tools that the agent was not created with."""
    return any(
        getattr(type(middleware), name) is not getattr(AgentMiddleware, name)
        for name in ("wrap_tool_call", "awrap_tool_call")
    )
