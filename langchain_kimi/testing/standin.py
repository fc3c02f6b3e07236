"""The stand-in: rules that answer when there is no script. It is no model and says so."""

from __future__ import annotations

from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Turn, say, think, turn

NAME = "Stand-in (no model)"


def stand_in_turn(request: ChatRequest) -> Turn:
    """Answer a request by rules."""
    return turn(think("I am a stand-in and follow rules."), say(f"{NAME}: hello."))
