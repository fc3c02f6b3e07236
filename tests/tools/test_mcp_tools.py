"""MCP tools, with a real server process over stdio."""

import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_kimi.tools import mcp_tools

SERVER: Any = {
    "transport": "stdio",
    "command": sys.executable,
    "args": [str(Path(__file__).with_name("mcp_server.py"))],
}


def call(name: str, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": "1", "type": "tool_call"}


async def test_a_real_server_answers_in_one_session(monkeypatch, snapshot) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-hidden")
    async with mcp_tools({"counter": SERVER}) as tools:
        assert [tool.name for tool in tools] == ["add", "count", "environment", "fail"]
        by_name = {tool.name: tool for tool in tools}
        assert {tool.name: tool.tool_call_schema for tool in tools} == snapshot
        first = await by_name["count"].ainvoke(call("count"))
        second = await by_name["count"].ainvoke(call("count", step=4))
        assert [first.content[0]["text"], second.content[0]["text"]] == ["1", "5"]
        failed = await by_name["fail"].ainvoke(call("fail"))
        assert failed.status == "error"
        assert "no luck" in str(failed.content)
        names = await by_name["environment"].ainvoke(call("environment"))
        assert "NVIDIA_API_KEY" not in str(names.content)


async def test_twins_of_two_servers_are_refused_or_prefixed() -> None:
    servers = {"one": SERVER, "two": SERVER}
    with pytest.raises(ValueError, match="named add, count, environment, fail"):
        async with mcp_tools(servers):
            pass
    async with mcp_tools(servers, prefix=True) as tools:
        assert [tool.name for tool in tools][::4] == ["one_add", "two_add"]


async def test_the_extra_is_named_when_it_is_missing(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_mcp_adapters", None)
    with pytest.raises(ImportError, match=r"langchain-kimi-nvidia\[mcp\]"):
        async with mcp_tools({"counter": SERVER}):
            pass


async def test_errors_are_not_wrapped() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with mcp_tools({"counter": SERVER}):
            raise KeyError("mine")
    with pytest.raises(FileNotFoundError):
        async with mcp_tools({"counter": {**SERVER, "command": "no-such-command"}}):
            pass
