"""What the model reads about the ready-made tools: a change shows as a diff."""

from pathlib import Path

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_kimi.tools import fetch_tool, file_tools, python_tool, shell_middleware


def test_descriptions_and_schemas(tmp_path: Path, snapshot) -> None:
    tools = [
        *file_tools(tmp_path),
        fetch_tool(["docs.python.org", "*.nvidia.com"]),
        python_tool(tmp_path),
        *shell_middleware(tmp_path).tools,
    ]
    assert [convert_to_openai_tool(tool) for tool in tools] == snapshot
