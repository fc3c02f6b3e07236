"""What a sub-agent is made of, and the form in which the worker runs it: bound once a kind."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator
from langchain.tools import ToolRuntime
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool
from langchain_core.tools import tool as make_tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.pregel import Pregel
from pydantic import BaseModel

SUBMIT = "submit_result"
"""The tool by which a sub-agent with a `response_format` hands in its result."""


class IdempotencyKey(InjectedToolArg):
    """Mark a tool's parameter that receives the key of its call: the same after a restart.

    A tool that pays, sends or deletes takes the key and does its work once for each key::

        @tool
        def pay(amount: float, key: Annotated[str, IdempotencyKey()]) -> str: ...
    """


@dataclass(frozen=True, kw_only=True)
class SubAgent:
    """A kind of sub-agent.

    Raises:
        ValueError: When it has both a `runnable` and tools, a model or a `response_format`.
    """

    name: str
    description: str
    """When to use it; the orchestrator reads this."""
    system_prompt: str = ""
    tools: Sequence[BaseTool | Callable[..., Any]] = ()
    model: BaseChatModel | None = None
    """None: the orchestrator's model."""
    model_settings: Mapping[str, Any] = field(default_factory=dict)
    """Arguments of each model call, such as `{"thinking": False}`."""
    response_format: type[BaseModel] | Mapping[str, Any] | None = None
    """A Pydantic class or JSON schema: the result is handed in as this type."""
    runnable: Runnable[Any, Any] | None = None
    """Any runnable or compiled graph that does the work instead of the built-in loop. It gets
    `{"messages": [HumanMessage(prompt)]}` and returns such a state, a message, or a text."""
    internal: bool = False
    """Work of the swarm itself: it does not count as a sub-agent."""

    def __post_init__(self) -> None:
        if self.runnable is not None and (self.tools or self.model or self.response_format):
            msg = (
                f"The sub-agent {self.name!r} has a runnable, so its tools, model and "
                "response_format are the runnable's own. Leave them out here."
            )
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A kind of sub-agent, ready to run: tools bound, schemas converted, once for all of them."""

    spec: SubAgent
    model: Runnable[Any, Any]
    settings: Mapping[str, Any]
    tools: Mapping[str, BoundTool]
    graph: Pregel[Any, Any, Any, Any] | None
    """The runnable as a graph that keeps its steps, None where it cannot."""
    check: Callable[[dict[str, Any]], Any] | None
    """Validates what `submit_result` was called with; None without a `response_format`."""


@dataclass(frozen=True, kw_only=True)
class BoundTool:
    """A tool, and what the worker must know about it."""

    tool: BaseTool
    side_effects: bool
    key_parameter: str | None
    runtime_parameter: str | None


def bind(
    spec: SubAgent,
    model: BaseChatModel,
    *,
    extra: Sequence[Mapping[str, Any]] = (),
    approvals: frozenset[str] = frozenset(),
    saver: BaseCheckpointSaver[Any] | None = None,
) -> Bound:
    """Make a kind of sub-agent ready to run.

    Args:
        spec: The kind.
        model: The model for a kind that has none of its own.
        extra: Schemas of the tools that the swarm itself answers.
        approvals: Names of the tools that a person must approve.
        saver: Keeps the steps of a graph that has no checkpointer.
    """
    tools = [t if isinstance(t, BaseTool) else make_tool(t) for t in spec.tools]
    schemas: list[Any] = [*tools, *extra]
    if spec.response_format is not None:
        schemas.append(_submit_schema(spec.response_format))
    chosen = spec.model or model
    bound: Runnable[Any, Any] = chosen
    if schemas and spec.runnable is None:
        bound = chosen.bind_tools(schemas)
    inner, settings = _unwrap(bound)
    return Bound(
        spec=spec,
        model=inner,
        settings={**settings, **spec.model_settings},
        tools={t.name: bind_tool(t, approved=t.name in approvals) for t in tools},
        graph=_kept(spec.runnable, saver),
        check=None if spec.response_format is None else _checker(spec.response_format),
    )


def _kept(
    runnable: Runnable[Any, Any] | None, saver: BaseCheckpointSaver[Any] | None
) -> Pregel[Any, Any, Any, Any] | None:
    """Return a graph with a checkpointer: its own, else the outer graph's unless it has said no."""
    if not isinstance(runnable, Pregel):
        return None
    if isinstance(runnable.checkpointer, BaseCheckpointSaver):
        return runnable
    if runnable.checkpointer is False or saver is None:
        return None
    return runnable.copy({"checkpointer": saver})


def bind_tool(tool: BaseTool, *, approved: bool = False) -> BoundTool:
    """Look at a tool once: does it change the world, and what does it want injected?"""
    key = runtime = None
    function = getattr(tool, "coroutine", None) or getattr(tool, "func", None)
    if isinstance(tool, StructuredTool) and function is not None:
        for name, hint in typing.get_type_hints(function, include_extras=True).items():
            if _is_key(hint):
                key = name
            elif hint is ToolRuntime or typing.get_origin(hint) is ToolRuntime:
                runtime = name
    marked = bool((tool.metadata or {}).get("side_effects"))
    return BoundTool(
        tool=tool,
        side_effects=marked or approved or key is not None,
        key_parameter=key,
        runtime_parameter=runtime,
    )


def _is_key(hint: object) -> bool:
    return any(
        isinstance(mark, IdempotencyKey)
        or (inspect.isclass(mark) and issubclass(mark, IdempotencyKey))
        for mark in getattr(hint, "__metadata__", ())
    )


def _unwrap(model: Runnable[Any, Any]) -> tuple[Runnable[Any, Any], Mapping[str, Any]]:
    """Take a plain binding apart, so that its arguments are not merged anew at each call."""
    plain = isinstance(model, RunnableBinding) and not model.config and not model.config_factories
    if plain and isinstance(model, RunnableBinding):
        return model.bound, model.kwargs
    return model, {}


def _submit_schema(schema: type[BaseModel] | Mapping[str, Any]) -> dict[str, Any]:
    tool = convert_to_openai_tool(
        schema
        if isinstance(schema, type)
        else {"title": SUBMIT, "description": "", "type": "object", **schema}
    )
    tool["function"]["name"] = SUBMIT
    tool["function"]["description"] = (
        "Hand in your result. Call it once, alone, when your work is done. "
        + tool["function"].get("description", "")
    ).strip()
    return tool


def _checker(schema: type[BaseModel] | Mapping[str, Any]) -> Callable[[dict[str, Any]], Any]:
    if isinstance(schema, type):
        return lambda args: schema.model_validate(args).model_dump(mode="json")
    validator = Draft202012Validator(dict(schema))

    def check(args: dict[str, Any]) -> Any:
        validator.validate(args)
        return args

    return check
