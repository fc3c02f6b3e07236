"""The deployable tool-use graph."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from langchain_kimi.agents.served import ServedRunError
from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.testing import call, say, think

REPOSITORY = Path(__file__).parents[2]


def ask(text: str = "Which licence is it?") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def test_it_imports_without_key_network_and_server() -> None:
    code = (
        "import socket, sys, threading\n"
        "def refuse(*_): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from graphs.tool_use import graph\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert 'langchain_kimi.testing' not in sys.modules\n"
        "print(graph.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, cwd=REPOSITORY, env={"PATH": ""},
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("tool_use", "")


def test_langgraph_json_names_it() -> None:
    config = json.loads((REPOSITORY / "langgraph.json").read_text())
    for graph in config["graphs"].values():
        path, _, name = graph["path"].partition(":")
        assert (REPOSITORY / path).is_file()
        assert name == "graph"
        assert graph["description"]


def test_every_field_of_the_context_is_described(tool_use, snapshot) -> None:
    assert all(field.metadata["description"] for field in fields(tool_use.Context))
    with pytest.raises(FrozenInstanceError):
        tool_use.Context().model = "other"
    assert tool_use.graph.get_context_jsonschema() == snapshot


def test_the_picture(tool_use, snapshot) -> None:
    assert tool_use.graph.get_graph().draw_mermaid() == snapshot


@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
async def test_a_run_takes_its_choices_from_the_context(
    tool_use, kimi_server_factory, dialect: str
) -> None:
    server = kimi_server_factory(dialect, models=["my/kimi"])
    server.script(call("read_file", path="__init__.py", line_count=1), say("A package."))
    context = {
        "model": "my/kimi",
        "base_url": server.base_url,
        "endpoint": dialect,
        "thinking": False,
        "system_prompt": "Be brief.",
        "tools": ["files", "fetch"],
        "root": "langchain_kimi",
        "allowed_hosts": ["docs.python.org"],
    }
    result = await tool_use.graph.ainvoke(ask(), context=context)
    assert result["messages"][-1].text == "A package."
    assert result["messages"][-2].content.startswith('    1  """Kimi from LangChain')
    request = server.requests[0]
    assert request["messages"][0] == {"role": "system", "content": "Be brief."}
    assert [tool["function"]["name"] for tool in request["tools"]] == [
        "list_files",
        "read_file",
        "search_files",
        "fetch_url",
    ]


def test_a_run_without_context_works(tool_use, kimi_server, monkeypatch) -> None:
    monkeypatch.setenv("KIMI_BASE_URL", kimi_server.base_url)
    kimi_server.script(think("I look."), call("read_file", path="LICENSE"), say("MIT."))
    assert tool_use.graph.invoke(ask())["messages"][-1].text == "MIT."


async def test_the_budget_of_the_context_ends_a_run(tool_use, kimi_server) -> None:
    kimi_server.script(call("list_files"), call("list_files", path="docs"))
    result = await tool_use.graph.ainvoke(
        ask(), context={"base_url": kimi_server.base_url, "max_steps": 2}
    )
    assert result["messages"][-1].text.startswith("Stopped by the budget: 2 of 2 steps")


@pytest.mark.parametrize(
    ("endpoint", "dialect"), [("auto", "vllm"), ("nvidia", "nvidia"), ("moonshot", "moonshot")]
)
async def test_a_server_named_by_the_caller_never_gets_the_operators_key(
    tool_use, kimi_server_factory, monkeypatch, endpoint: str, dialect: str
) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-operator")
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-operator")
    server = kimi_server_factory(dialect, api_key="not-needed")
    server.script(say("Hello."))
    context = {"base_url": server.base_url, "endpoint": endpoint}
    result = await tool_use.graph.ainvoke(ask(), context=context)
    assert result["messages"][-1].text == "Hello."


@pytest.mark.kimi(api_key="nvapi-operator")
async def test_the_operators_own_server_gets_it(tool_use, kimi_server, monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-operator")
    monkeypatch.setenv("KIMI_BASE_URL", kimi_server.base_url)
    kimi_server.script(say("Hello."))
    context = {"base_url": f"{kimi_server.base_url}/"}
    result = await tool_use.graph.ainvoke(ask(), context=context)
    assert result["messages"][-1].text == "Hello."


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"tools": ["shell"]}, "tools: 0: Input should be 'files' or 'fetch'"),
        ({"tools": ["python"]}, "tools: 0: Input should be"),
        ({"tools": "files"}, "tools: Input should be a valid tuple"),
        ({"tools": 5}, "tools: Input should be a valid tuple"),
        ({"tools": None}, "tools: Input should be a valid tuple"),
        ({"allowed_hosts": [5]}, "allowed_hosts: 0: Input should be a valid string"),
        ({"tools": ["fetch"]}, "No hosts are allowed"),
        ({"root": ".."}, "root='..' is not served: .* lies outside the root folder"),
        ({"root": "/etc"}, "lies outside the root folder"),
        ({"root": "missing"}, "There is no 'missing'"),
        ({"root": "README.md"}, "is not a folder"),
        ({"root": 5}, "root: Input should be a valid string"),
        ({"max_steps": 0}, "allows no run"),
        ({"max_steps": "x"}, "max_steps: Input should be a valid integer"),
        ({"max_tokens": 2.5}, "max_tokens: Input should be a valid integer"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"model": ["a"]}, "model: Input should be a valid string"),
        ({"thinking": "no"}, "thinking: Input should be a valid boolean"),
        ({"base_url": "http://[::1"}, "base_url must be an http"),
        ({"endpoint": "morse"}, "endpoint: Input should be 'auto'"),
        ({"base_url": "nonsense"}, "base_url must be an http"),
        ({"base_url": "http://me:secret@example.org/v1"}, "carries credentials"),
    ],
)
async def test_what_is_not_the_callers_choice_is_refused(
    tool_use, kimi_server, choice: dict[str, Any], reason: str
) -> None:
    """With a ValueError, whose text LangGraph Server shows to the caller."""
    with pytest.raises(ValueError, match=reason) as caught:
        await tool_use.graph.ainvoke(ask(), context={"base_url": kimi_server.base_url, **choice})
    assert "secret" not in str(caught.value)
    assert kimi_server.requests == []


@pytest.mark.parametrize(
    "choice",
    [
        {"endpoint": "moonshot", "base_url": "https://integrate.api.nvidia.com/v1"},
        {"endpoint": "moonshot", "base_url": "https://ai.api.nvidia.com/v1"},
        {"endpoint": "nvidia", "base_url": "https://api.moonshot.ai/v1"},
        {"endpoint": "vllm", "base_url": "https://api.moonshot.ai/v1/"},
        {"endpoint": "sglang", "base_url": "https://api.moonshot.cn/v1"},
        {"endpoint": "moonshot", "base_url": "http://127.0.0.1:9/v1"},
    ],
)
async def test_no_key_goes_to_another_vendor(tool_use, monkeypatch, choice: dict[str, Any]) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-operator")
    monkeypatch.setenv("MOONSHOT_API_KEY", "sk-operator")
    monkeypatch.setenv("KIMI_BASE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(KimiInvalidInputError, match=r"(NVIDIA|MOONSHOT)_API_KEY"):
        await tool_use.graph.ainvoke(ask(), context=choice)


@pytest.mark.parametrize("endpoint", ["nvidia", "moonshot"])
async def test_a_missing_key_is_explained(tool_use, monkeypatch, endpoint: str) -> None:
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "NVIDIA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KimiInvalidInputError, match=f"set {endpoint.upper()}_API_KEY"):
        await tool_use.graph.ainvoke(ask(), context={"endpoint": endpoint})


@pytest.mark.kimi(api_key="another")
async def test_a_refused_key_is_explained(tool_use, kimi_server) -> None:
    with pytest.raises(ServedRunError, match=r"KimiAuthenticationError: .*401"):
        await tool_use.graph.ainvoke(ask(), context={"base_url": kimi_server.base_url})


def test_a_model_that_is_not_there_is_explained(tool_use, kimi_server) -> None:
    context = {"base_url": kimi_server.base_url, "model": "no/such"}
    with pytest.raises(ServedRunError, match=r"KimiNotFoundError: .*no/such"):
        tool_use.graph.invoke(ask(), context=context)


async def test_uploads_of_agent_chat_ui_are_taken(tool_use, kimi_server, png) -> None:
    kimi_server.script(say("A pixel."))
    message = {
        "id": "1",
        "type": "human",
        "content": [
            {"type": "text", "text": "What is this?"},
            {"type": "image", "mimeType": "image/png", "data": png, "metadata": {"name": "a.png"}},
        ],
    }
    result = await tool_use.graph.ainvoke(
        {"messages": [message]}, context={"base_url": kimi_server.base_url}
    )
    assert result["messages"][-1].text == "A pixel."
    parts = kimi_server.requests[0]["messages"][-1]["content"]
    assert {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}} in parts
