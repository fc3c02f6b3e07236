"""A mock-up picture in, a web page out, for LangGraph Server and Studio."""

from dataclasses import dataclass

from langchain_kimi.agents.served import ModelChoice, chosen_model
from langchain_kimi.visual_code import create_visual_to_code


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""


graph = create_visual_to_code(chosen_model, context_schema=Context)
