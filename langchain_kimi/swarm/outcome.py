"""How a sub-agent ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_kimi.swarm.state import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a sub-agent, for its state and its END record."""

    status: Status
    result: str = ""
    data: Any = None
    reason: str = ""
