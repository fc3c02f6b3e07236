"""Ready-made sets of tools, by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from langchain.agents.middleware import AgentMiddleware
from langchain_core.tools import BaseTool

from langchain_kimi.tools.fetch import fetch_tool
from langchain_kimi.tools.files import file_tools
from langchain_kimi.tools.process import ExecutionPolicy
from langchain_kimi.tools.python import python_tool
from langchain_kimi.tools.shell import shell_middleware

ToolSet = Literal["files", "fetch", "python", "shell"]
TOOL_SETS: tuple[ToolSet, ...] = get_args(ToolSet)


def ready_tools(
    names: Sequence[str],
    *,
    root: str | Path = ".",
    hosts: Sequence[str] = (),
    policy: ExecutionPolicy | None = None,
) -> tuple[list[BaseTool], list[AgentMiddleware[Any, Any, Any]]]:
    """Make the tools and the middleware of ready-made sets.

    The order is that of `TOOL_SETS`, whatever the order of the names, so that the prompt stays
    the same.

    Args:
        names: `files` (read only, within `root`), `fetch` (GET from `hosts`), `python` and
            `shell` (under `policy`, starting in `root`).
        root: The folder for files, Python and the shell.
        hosts: The hosts that `fetch` may reach.
        policy: One of langchain's execution policies, for Python and the shell.

    Returns:
        Tools and middleware for `create_tool_agent`.

    Raises:
        ValueError: When a name is unknown, or `fetch` has no hosts.
        NotADirectoryError: When `root` is no folder.
    """
    unknown = sorted(set(names) - set(TOOL_SETS))
    if unknown:
        msg = f"There is no tool set {', '.join(unknown)}. Choose from: {', '.join(TOOL_SETS)}."
        raise ValueError(msg)
    tools: list[BaseTool] = []
    if "files" in names:
        tools += file_tools(root)
    if "fetch" in names:
        tools.append(fetch_tool(hosts))
    if "python" in names:
        tools.append(python_tool(root, policy=policy))
    return tools, [shell_middleware(root, policy=policy)] if "shell" in names else []
