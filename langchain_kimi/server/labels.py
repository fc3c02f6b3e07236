"""The names of models that may leave in figures and traces."""

from __future__ import annotations

from langchain_kimi.models import UNKNOWN, facts_of

OTHER = "other"


def model_label(name: object) -> str:
    """Return a known model's display name, else `other`: callers may name a model anything."""
    facts = facts_of(name) if isinstance(name, str) else UNKNOWN
    return OTHER if facts is UNKNOWN else facts.name
