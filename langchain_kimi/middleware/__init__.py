"""Middleware for `create_agent` that Kimi needs and langchain does not have.

Retry, approval, call limits, summarisation and to-do lists are langchain's own
(`langchain.agents.middleware`); `langchain_kimi.agents.create_tool_agent` wires both.
"""

from langchain_kimi.middleware.budget import Budget, BudgetMiddleware
from langchain_kimi.middleware.context_strategy import ContextStrategy
from langchain_kimi.middleware.discard_all import DiscardAll
from langchain_kimi.middleware.hide_tool_results import HideToolResults
from langchain_kimi.middleware.invalid_tool_calls import InvalidToolCallRepair
from langchain_kimi.middleware.per_run import PerRun
from langchain_kimi.middleware.repeated_calls import RepeatedCallGuard
from langchain_kimi.middleware.trim import Trim

__all__ = [
    "Budget",
    "BudgetMiddleware",
    "ContextStrategy",
    "DiscardAll",
    "HideToolResults",
    "InvalidToolCallRepair",
    "PerRun",
    "RepeatedCallGuard",
    "Trim",
]
