"""The tool-use agent: Kimi in a loop with tools."""

from __future__ import annotations

import logging
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    ModelRetryMiddleware,
    ToolErrorMiddleware,
)
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, ToolStrategy

from langchain_kimi.agents.checks import check_approvals, check_arguments
from langchain_kimi.agents.default_model import default_model
from langchain_kimi.binding import KimiBinding
from langchain_kimi.errors import KimiError
from langchain_kimi.middleware import (
    BudgetMiddleware,
    ContextStrategy,
    InvalidToolCallRepair,
    RepeatedCallGuard,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain.agents.middleware import InterruptOnConfig, ToolCallRequest
    from langchain_core.language_models import BaseChatModel
    from langchain_core.tools import BaseTool
    from langgraph.graph.state import CompiledStateGraph
    from langgraph.store.base import BaseStore
    from langgraph.types import Checkpointer

    from langchain_kimi.middleware import Budget
    from langchain_kimi.middleware.budget import BudgetOf
    from langchain_kimi.middleware.context_strategy import StrategyName
    from langchain_kimi.middleware.strategy import Strategy

    Middleware = AgentMiddleware[Any, Any, Any]
    Tool = BaseTool | Callable[..., Any] | dict[str, Any]

logger = logging.getLogger(__name__)

_ERROR_CHARACTERS = 1_000


def create_tool_agent(
    model: BaseChatModel | str | None = None,
    tools: Sequence[Tool] | None = None,
    *,
    middleware: Sequence[Middleware] = (),
    prompt: str | None = None,
    response_format: Any = None,
    checkpointer: Checkpointer = None,
    store: BaseStore | None = None,
    interrupt_on: Mapping[str, bool | InterruptOnConfig] | None = None,
    budget: Budget | BudgetOf | None = None,
    context_strategy: StrategyName | Strategy | None = "trim",
    context_schema: type[Any] | None = None,
    name: str = "tool_agent",
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Create an agent that calls tools until it can answer.

    It is `langchain.agents.create_agent` with what Kimi needs: a broken call is asked for once
    more, a repeated call is reminded and stopped, a reply that breaks off is tried again, and a
    tool's exception becomes an error result that the model reads. All parts keep to Kimi's chat
    template, so reasoning survives the whole tool loop.

    Example:
        ```python
        from langchain_kimi import create_tool_agent
        from langchain_kimi.tools import file_tools

        agent = create_tool_agent(tools=file_tools("."))
        question = {"role": "user", "content": "Which Python versions does this project support?"}
        print(agent.invoke({"messages": [question]})["messages"][-1].text)
        ```

    Args:
        model: A chat model, the id of a Kimi model, or None for `default_model()`: your endpoint
            by the environment, else the stand-in.
        tools: Functions, tools, or OpenAI tool dicts; `langchain_kimi.tools` has ready-made ones.
        middleware: More middleware, which runs inside the agent's own. One of the same class,
            such as `RepeatedCallGuard(stop_at=30)`, takes the place of the agent's own.
        prompt: The system prompt; None for `agents/prompts/tool_agent.md`, "" for none.
        response_format: A schema for `result["structured_response"]`.
        checkpointer: Keeps threads; needed for `interrupt_on`.
        store: Keeps data across threads.
        interrupt_on: Tools whose calls a person approves, as langchain's
            `HumanInTheLoopMiddleware` takes them.
        budget: Steps and tokens a run may use; it ends with a message that says what is missing.
        context_strategy: What happens as a conversation grows. `"trim"`: where it outgrows the
            model's window, its oldest turns and rounds are left out of the request.
            `"hide_tool_results"` or `"discard_all"` for long tool loops; None for nothing.
        context_schema: The type of `Runtime.context`.
        name: The graph's name.

    Returns:
        The compiled graph; its state has `messages`.

    Raises:
        KimiInvalidInputError: When an argument is of a wrong kind, or `interrupt_on` names a tool
            that the agent cannot have.
    """
    check_arguments(model, tools, budget)
    check_approvals(interrupt_on or {}, tools or (), middleware)
    chosen = default_model(model=model) if model is None or isinstance(model, str) else model
    own: list[Middleware] = [
        ToolErrorMiddleware(_report),
        *([HumanInTheLoopMiddleware(dict(interrupt_on))] if interrupt_on else []),
        RepeatedCallGuard(),
        InvalidToolCallRepair(),
        *([ContextStrategy(context_strategy)] if context_strategy is not None else []),
        *([BudgetMiddleware(budget)] if budget is not None else []),
        ModelRetryMiddleware(max_retries=2, retry_on=_broke_off, on_failure="error"),
    ]
    given = {one.name for one in middleware}
    return create_agent(
        chosen,
        tools,
        system_prompt=(default_prompt() if prompt is None else prompt) or None,
        middleware=[*(one for one in own if one.name not in given), *middleware],
        response_format=_answer_format(response_format, chosen),
        context_schema=context_schema,
        checkpointer=checkpointer,
        store=store,
        name=name,
    )


def _answer_format(asked: Any, model: Any) -> Any:
    """Let a bound Kimi answer in a schema as a bare one does.

    langchain looks for the profile of a bare model. For a binding it would declare the schema as a
    tool and force a call at every step, which Kimi cannot do while it thinks.
    """
    known = (ToolStrategy, ProviderStrategy, AutoStrategy)
    if asked is None or isinstance(asked, known) or not isinstance(model, KimiBinding):
        return asked
    return ProviderStrategy(asked)


@cache
def default_prompt() -> str:
    """Return the system prompt; it holds no date, so that servers can cache the prefix."""
    return files("langchain_kimi.agents").joinpath("prompts/tool_agent.md").read_text("utf-8")


def _report(error: Exception, request: ToolCallRequest) -> str:
    """Tell the model what a tool raised; the traceback goes to the log."""
    name = request.tool_call["name"]
    logger.warning("The tool %s raised an exception.", name, exc_info=error)
    text = str(error)
    if len(text) > _ERROR_CHARACTERS:
        text = f"{text[:_ERROR_CHARACTERS]}…"
    return f"{name} failed: {type(error).__name__}: {text}"


def _broke_off(error: Exception) -> bool:
    """Say whether a reply broke off after its first token; before it the transport retries."""
    if not isinstance(error, KimiError) or not error.is_retryable or error.partial is None:
        return False
    partial = error.partial
    return bool(partial.content or partial.tool_calls or partial.additional_kwargs)
