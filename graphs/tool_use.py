"""The tool-use agent for LangGraph Server and Studio."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from langchain_core.tools import BaseTool

from langchain_kimi import ChatKimi, create_tool_agent
from langchain_kimi.agents.served import (
    ModelChoice,
    PlainErrors,
    ServedToolSet,
    chosen_model,
    served_tools,
)
from langchain_kimi.middleware import Budget, PerRun

BASE = Path(__file__).resolve().parents[1]
"""The folder whose files the agent may read."""


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""

    system_prompt: str | None = field(
        default=None, metadata={"description": "System prompt. Default: the agent's own."}
    )
    tools: tuple[ServedToolSet, ...] = field(
        default=("files",),
        metadata={"description": "Ready-made tool sets: files (read only), fetch (HTTP GET)."},
    )
    root: str = field(
        default=".",
        metadata={"description": "Folder for the file tools, below the server's own."},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"description": "Hosts that fetch may reach, such as docs.python.org."},
    )
    max_steps: int | None = field(
        default=50, metadata={"description": "Model calls a run may make."}
    )
    max_tokens: int | None = field(
        default=None, metadata={"description": "Tokens a run may use, input and output."}
    )


def _tools(context: Context | None) -> Sequence[BaseTool]:
    chosen = context or Context()
    return served_tools(chosen.tools, base=BASE, root=chosen.root, hosts=chosen.allowed_hosts)


def _prompt(context: Context | None) -> str | None:
    return (context or Context()).system_prompt


def _budget(context: Context | None) -> Budget:
    chosen = context or Context()
    return Budget(steps=chosen.max_steps, tokens=chosen.max_tokens)


graph = create_tool_agent(
    ChatKimi(),
    middleware=[PerRun(model=chosen_model, tools=_tools, prompt=_prompt), PlainErrors()],
    budget=_budget,
    context_schema=Context,
    name="tool_use",
)
