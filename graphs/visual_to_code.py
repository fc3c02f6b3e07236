"""A mock-up picture in, a web page out, for LangGraph Server and Studio."""

from dataclasses import dataclass, field

from langchain_kimi.agents.served import ModelChoice, chosen_model
from langchain_kimi.visual_code import create_visual_to_code


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""

    rounds: int = field(
        default=3, metadata={"description": "How many pages are asked for at most, up to 10."}
    )
    alike: float = field(
        default=0.97,
        metadata={"description": "The likeness, from 0 to 1, that is good enough to stop at."},
    )


def _rounds(context: Context | None) -> int:
    return min((context or Context()).rounds, 10)


def _alike(context: Context | None) -> float:
    return (context or Context()).alike


graph = create_visual_to_code(chosen_model, rounds=_rounds, alike=_alike, context_schema=Context)
