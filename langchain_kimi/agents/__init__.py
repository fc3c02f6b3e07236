"""Prebuilt agents."""

from langchain_kimi.agents.default_model import default_model, is_stand_in
from langchain_kimi.agents.tool_agent import create_tool_agent

__all__ = ["create_tool_agent", "default_model", "is_stand_in"]
