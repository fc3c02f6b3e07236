"""Tools of MCP servers, through langchain-mcp-adapters."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from langchain_core.tools import BaseTool
    from langchain_mcp_adapters.client import MultiServerMCPClient
    from langchain_mcp_adapters.sessions import Connection


@asynccontextmanager
async def mcp_tools(
    servers: Mapping[str, Connection], *, prefix: bool = False
) -> AsyncIterator[list[BaseTool]]:
    """Open a session with each MCP server and give their tools, for the length of the block.

    One session serves all calls, so a server keeps its state and is started once. The tools are
    asynchronous: run the agent with `ainvoke` or `astream`. A local server gets only the basic
    variables of the environment, unless its connection has `env`.

    Example:
        ```python
        servers = {"time": {"transport": "stdio", "command": "uvx", "args": ["mcp-server-time"]}}
        async with mcp_tools(servers) as tools:
            agent = create_tool_agent(model, tools)
        ```

    Args:
        servers: A connection for each server's name, as langchain-mcp-adapters describes them.
        prefix: Whether to put the server's name before each tool's name.

    Yields:
        The tools, sorted by server and name, so that the prompt stays the same.

    Raises:
        ImportError: When the extra `mcp` is not installed.
        ValueError: When two servers have a tool of the same name.
    """
    try:
        from langchain_mcp_adapters import client  # noqa: PLC0415  optional
    except ImportError as error:
        msg = "mcp_tools needs the extra: pip install 'langchain-kimi-nvidia[mcp]'"
        raise ImportError(msg) from error
    sessions = _Sessions(client.MultiServerMCPClient(dict(servers)), sorted(servers), prefix=prefix)
    try:
        yield await sessions.open()
    finally:
        await sessions.close()


class _Sessions:
    """Sessions held open in a task of their own.

    The sessions stand on task groups, which wrap whatever is raised inside them. With a task of
    their own, an error of the caller's block stays what it is.
    """

    def __init__(self, client: MultiServerMCPClient, names: list[str], *, prefix: bool) -> None:
        self._client = client
        self._names = names
        self._prefix = prefix
        self._tools: asyncio.Future[list[BaseTool]] = asyncio.Future()
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._hold())

    async def open(self) -> list[BaseTool]:
        """Wait for the sessions and return their tools."""
        ways: set[asyncio.Future[Any]] = {self._tools, self._task}
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        if not self._tools.done():
            await self.close()
        return self._tools.result()

    async def close(self) -> None:
        """End the sessions and, with them, the servers that were started."""
        self._closing.set()
        try:
            await self._task
        except BaseExceptionGroup as group:
            raise _only(group) from None

    async def _hold(self) -> None:
        from langchain_mcp_adapters.tools import load_mcp_tools  # noqa: PLC0415  optional

        tools: list[BaseTool] = []
        async with AsyncExitStack() as stack:
            for name in self._names:
                session = await stack.enter_async_context(self._client.session(name))
                found = await load_mcp_tools(
                    session, server_name=name, tool_name_prefix=self._prefix
                )
                tools += sorted(found, key=lambda tool: tool.name)
            _refuse_twins(tools)
            self._tools.set_result(tools)
            await self._closing.wait()


def _only(error: BaseException) -> BaseException:
    """Take the one error out of nested groups; a group of several stays."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _refuse_twins(tools: list[BaseTool]) -> None:
    counts = Counter(tool.name for tool in tools)
    twins = sorted(name for name, count in counts.items() if count > 1)
    if twins:
        msg = f"More than one server has a tool named {', '.join(twins)}. Pass prefix=True."
        raise ValueError(msg)
