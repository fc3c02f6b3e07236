"""The background agent for LangGraph Server and Studio."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool

from langchain_kimi.agents.served import ModelChoice, ServedToolSet, chosen_model, served_tools
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.swarm.agent import DEFAULT_JOURNAL

BASE = Path(__file__).resolve().parents[1]
"""The folder whose files the sub-agents may read."""
JOURNAL = os.environ.get("KIMI_JOURNAL") or DEFAULT_JOURNAL
"""Where the steps of sub-agents are kept: a file, or `postgresql://…` for several servers."""


def _budget() -> dict[str, Any] | None:
    """Return what no caller's budget may pass: `KIMI_BUDGET`, None where it is not set."""
    text = os.environ.get("KIMI_BUDGET") or "null"
    try:
        found: dict[str, Any] | None = json.loads(text)
    except ValueError:
        found = {}
    if found is not None and not (isinstance(found, dict) and found):
        msg = f'KIMI_BUDGET={text!r} must be a JSON object such as {{"steps": 2000}}.'
        raise ValueError(msg)
    return found


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""

    tools: tuple[ServedToolSet, ...] = field(
        default=("files",),
        metadata={"description": "Tools of the sub-agents: files (read only), fetch (HTTP GET)."},
    )
    root: str = field(
        default=".",
        metadata={"description": "Folder for the file tools, below the server's own."},
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata={"description": "Hosts that fetch may reach, such as docs.python.org."},
    )
    budget: Mapping[str, Any] | None = field(
        default=None,
        metadata={
            "description": "Limits over the whole tree: steps, critical_steps, subagents, "
            "concurrency, depth, tokens, money (with prices), seconds, subagent_steps and more."
        },
    )


def _tools(context: Context | None) -> Sequence[BaseTool]:
    chosen = context or Context()
    return served_tools(chosen.tools, base=BASE, root=chosen.root, hosts=chosen.allowed_hosts)


graph = create_background_agent(
    chosen_model,
    _tools,
    budget=_budget(),
    journal=JOURNAL,
    context_schema=Context,
    name="background",
)
