"""Long-horizon coding: sub-agents in git worktrees, their work tested and merged."""

from langchain_kimi.coding.agent import coding_subagent, create_coding_agent, save_diffs
from langchain_kimi.coding.confinement import Limits
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.tools import coding_tools, merge_tools
from langchain_kimi.coding.workspace import Workspace

__all__ = [
    "CodingError",
    "Limits",
    "Workspace",
    "coding_subagent",
    "coding_tools",
    "create_coding_agent",
    "merge_tools",
    "save_diffs",
]
