"""The background agent for LangGraph Server and Studio."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_kimi import ChatKimi
from langchain_kimi.agents.served import served_model
from langchain_kimi.endpoints import EndpointName
from langchain_kimi.swarm import create_background_agent
from langchain_kimi.swarm.agent import DEFAULT_JOURNAL


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a caller may choose for a run."""

    model: str | None = field(
        default=None, metadata={"description": "Model id. Default: moonshotai/kimi-k2.6."}
    )
    base_url: str | None = field(
        default=None,
        metadata={
            "description": "Server of your own, such as http://localhost:8000/v1. Default: what "
            "the server's environment names, else a stand-in that is no model."
        },
    )
    endpoint: EndpointName = field(
        default="auto",
        metadata={"description": "Whose dialect the server speaks; told from the URL by default."},
    )
    thinking: bool = field(
        default=True, metadata={"description": "Whether the model thinks before it answers."}
    )
    budget: Mapping[str, Any] | None = field(
        default=None,
        metadata={
            "description": "Limits over the whole tree: steps, critical_steps, subagents, "
            "concurrency, depth, tokens, money (with prices), seconds, subagent_steps and more."
        },
    )


def _model(context: Context | None) -> ChatKimi:
    chosen = context or Context()
    return served_model(
        model=chosen.model,
        base_url=chosen.base_url,
        endpoint=chosen.endpoint,
        thinking=chosen.thinking,
    )


graph = create_background_agent(
    _model,
    journal=DEFAULT_JOURNAL,
    context_schema=Context,
    name="background",
)
