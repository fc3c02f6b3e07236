"""The tools of a command."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain_core.tools import BaseTool

from langchain_kimi.tools import ready_tools


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """Which tools a command has, and how they may be used."""

    names: str
    root: Path
    hosts: Sequence[str]
    yes: bool

    def open(self) -> tuple[list[BaseTool], list[AgentMiddleware[Any, Any, Any]]]:
        """Make the tools and their middleware.

        Raises:
            ValueError: When a set is unknown, or `fetch` has no hosts.
        """
        names = [name.strip() for name in self.names.split(",")]
        sets = [name for name in names if name not in {"", "none"}]
        if "fetch" in sets and not self.hosts:
            msg = "--tools fetch reaches only hosts that you name, such as --host docs.python.org."
            raise ValueError(msg)
        return ready_tools(sets, root=self.root, hosts=self.hosts)

    def open_for_subagents(self) -> list[BaseTool]:
        """Make the tools, for many agents at a time.

        Raises:
            ValueError: As for `open`, and when the shell is among the sets.
        """
        tools, middleware = self.open()
        if middleware:
            msg = "The shell is one session that sub-agents cannot share; use files, fetch, python."
            raise ValueError(msg)
        return tools
