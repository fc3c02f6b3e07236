"""The ready-made sets."""

from pathlib import Path

import pytest

from langchain_kimi.tools import TOOL_SETS, ready_tools


def test_the_order_is_fixed(tmp_path: Path) -> None:
    tools, middleware = ready_tools(
        list(reversed(TOOL_SETS)), root=tmp_path, hosts=["docs.python.org"]
    )
    assert [tool.name for tool in tools] == [
        "list_files",
        "read_file",
        "search_files",
        "fetch_url",
        "run_python",
    ]
    assert [tool.name for tool in middleware[0].tools] == ["shell"]


def test_code_runs_only_when_asked_for(tmp_path: Path) -> None:
    tools, middleware = ready_tools(["files"], root=tmp_path)
    assert [tool.name for tool in tools] == ["list_files", "read_file", "search_files"]
    assert middleware == []


def test_unknown_names_and_missing_hosts_are_refused() -> None:
    with pytest.raises(ValueError, match="Choose from: files, fetch, python, shell"):
        ready_tools(["file"])
    with pytest.raises(ValueError, match="No hosts are allowed"):
        ready_tools(["fetch"])
