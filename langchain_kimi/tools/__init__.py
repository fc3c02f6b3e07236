"""Ready-made tools: files, web pages, Python, a shell, and MCP servers.

`file_tools` and `fetch_tool` only read. `python_tool` and `shell_middleware` run code under one
of langchain's execution policies and are never on unless asked for.
"""

from langchain_kimi.tools.fetch import fetch_tool
from langchain_kimi.tools.files import file_tools
from langchain_kimi.tools.mcp import mcp_tools
from langchain_kimi.tools.python import python_tool
from langchain_kimi.tools.ready import TOOL_SETS, ready_tools
from langchain_kimi.tools.secrets import SECRET_FILES
from langchain_kimi.tools.shell import shell_middleware

__all__ = [
    "SECRET_FILES",
    "TOOL_SETS",
    "fetch_tool",
    "file_tools",
    "mcp_tools",
    "python_tool",
    "ready_tools",
    "shell_middleware",
]
