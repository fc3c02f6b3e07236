"""The background agent for LangGraph Server and Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_kimi.agents.served import ModelChoice, chosen_model
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.swarm.agent import DEFAULT_JOURNAL


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""

    budget: Mapping[str, Any] | None = field(
        default=None,
        metadata={
            "description": "Limits over the whole tree: steps, critical_steps, subagents, "
            "concurrency, depth, tokens, money (with prices), seconds, subagent_steps and more."
        },
    )


graph = create_background_agent(
    chosen_model,
    journal=DEFAULT_JOURNAL,
    context_schema=Context,
    name="background",
)
