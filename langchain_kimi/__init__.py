"""Kimi from LangChain: `ChatKimi` and prebuilt LangGraph graphs."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from langchain_kimi._version import __version__

if TYPE_CHECKING:
    from langchain_kimi.agents.tool_agent import create_tool_agent
    from langchain_kimi.chat_models import ChatKimi
    from langchain_kimi.errors import KimiError
    from langchain_kimi.integrations import register
    from langchain_kimi.rag import Corpus
    from langchain_kimi.rag.answer import create_multimodal_rag
    from langchain_kimi.swarm import create_background_agent
    from langchain_kimi.transport.timeout import Timeout

__all__ = [
    "ChatKimi",
    "Corpus",
    "KimiError",
    "Timeout",
    "__version__",
    "create_background_agent",
    "create_multimodal_rag",
    "create_tool_agent",
    "register",
]

_HOMES = {
    "ChatKimi": "langchain_kimi.chat_models",
    "Corpus": "langchain_kimi.rag",
    "KimiError": "langchain_kimi.errors",
    "Timeout": "langchain_kimi.transport.timeout",
    "create_background_agent": "langchain_kimi.swarm",
    "create_multimodal_rag": "langchain_kimi.rag.answer",
    "create_tool_agent": "langchain_kimi.agents.tool_agent",
    "register": "langchain_kimi.integrations",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: the graphs bring langgraph with them."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
