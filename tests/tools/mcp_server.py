"""A small MCP server over stdio: it counts, fails on request, and tells its environment."""

import os

from mcp.server.fastmcp import FastMCP

server = FastMCP("counter", log_level="ERROR")
state = {"count": 0}


@server.tool()
def count(step: int = 1) -> int:
    """Count on and return the count."""
    state["count"] += step
    return state["count"]


@server.tool()
def add(left: int, right: int) -> int:
    """Add two numbers."""
    return left + right


@server.tool()
def fail() -> str:
    """Fail."""
    msg = "no luck"
    raise ValueError(msg)


@server.tool()
def environment() -> list[str]:
    """Return the names of the environment's variables."""
    return sorted(os.environ)


if __name__ == "__main__":
    server.run()
