"""Pass results on: to the sub-agents that need them, whole or by reference."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from langchain_kimi.swarm.state import AgentState

_MOST_CHARACTERS = 120_000
_PREVIEW = 2_000


_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def shown(text: str) -> str:
    """Return a text without what would steer a terminal, turn the line around, or break XML."""
    return _CONTROLS.sub("�", text)


def text_of(agent: AgentState) -> str:
    """Return a sub-agent's result as text; a typed one as JSON."""
    if agent.data is None:
        return agent.result
    typed = json.dumps(agent.data, ensure_ascii=False)
    return f"{agent.result}\n{typed}".strip()


def reference(agent: AgentState) -> str:
    """Return the name by which `read_artifact` opens a sub-agent's result."""
    return f"{agent.id}/result"


def handed_over(prompt: str, needs: Sequence[AgentState]) -> str:
    """Return a prompt followed by the results that it builds on.

    What does not fit is given by its beginning and a reference, and the text says so.
    """
    if not needs:
        return prompt
    each = _MOST_CHARACTERS // len(needs)
    parts = [prompt, "# Results of what this task builds on"]
    parts += [f"## {need.label} ({need.status})\n\n{excerpt(need, each)}" for need in needs]
    return "\n\n".join(parts)


def excerpt(agent: AgentState, most: int) -> str:
    """Return a result in at most about `most` characters, saying what is left out."""
    text = text_of(agent)
    if len(text) <= most:
        return text
    shown = min(_PREVIEW, most)
    return (
        f"{text[:shown]}\n[… {len(text) - shown} of {len(text)} characters are not shown here: "
        f'open them with read_artifact("{reference(agent)}")]'
    )
