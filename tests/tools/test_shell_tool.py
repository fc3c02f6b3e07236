"""The shell middleware, in an agent."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_kimi.tools import shell_middleware

# langchain's ShellSession leaves its pipes to the garbage collector, which warns of them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed file:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def collect_here() -> Iterator[None]:
    """Let the warnings come while they are ignored."""
    yield
    gc.collect()


class Model(GenericFakeChatModel):
    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self


def commands(*texts: str) -> Model:
    calls = [
        AIMessage("", tool_calls=[{"name": "shell", "args": {"command": text}, "id": text}])
        for text in texts
    ]
    return Model(messages=iter([*calls, AIMessage("done")]))


def test_a_session_keeps_its_state_and_sees_no_key(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-hidden")
    (tmp_path / "sub").mkdir()
    model = commands("cd sub && word=kimi", "pwd; echo $word [$NVIDIA_API_KEY] $HOME", "(exit 3)")
    agent = create_agent(model, middleware=[shell_middleware(tmp_path)])
    messages = agent.invoke({"messages": [HumanMessage("go")]})["messages"]
    results = [m for m in messages if isinstance(m, ToolMessage)]
    assert results[1].content.split("\n")[:2] == [f"{tmp_path}/sub", f"kimi [] {tmp_path}"]
    assert "Exit code: 3" in results[2].content
    assert messages[-1].content == "done"


def test_keys_of_the_caller_are_masked_in_what_a_command_prints(
    tmp_path: Path, monkeypatch
) -> None:
    key = "nvapi-0123456789abcdef"
    monkeypatch.setenv("NVIDIA_API_KEY", key)
    model = commands(f"echo a {key[:10]}''{key[10:]} b")
    agent = create_agent(model, middleware=[shell_middleware(tmp_path)])
    messages = agent.invoke({"messages": [HumanMessage("go")]})["messages"]
    (result,) = [m for m in messages if isinstance(m, ToolMessage)]
    assert result.content.startswith("a [REDACTED_API_KEY] b")
    assert key not in repr(result)


def test_a_session_can_be_restarted(tmp_path: Path) -> None:
    again = {"command": "echo [$word]", "restart": True}
    calls = [
        AIMessage("", tool_calls=[{"name": "shell", "args": args, "id": str(number)}])
        for number, args in enumerate([{"command": "word=kimi"}, again])
    ]
    model = Model(messages=iter([*calls, AIMessage("done")]))
    agent = create_agent(model, middleware=[shell_middleware(tmp_path)])
    messages = agent.invoke({"messages": [HumanMessage("go")]})["messages"]
    assert messages[-2].content.startswith("[]")


async def test_the_same_asynchronously(tmp_path: Path) -> None:
    agent = create_agent(commands("echo hello"), middleware=[shell_middleware(tmp_path)])
    messages = (await agent.ainvoke({"messages": [HumanMessage("go")]}))["messages"]
    assert messages[-2].content.startswith("hello")


def test_what_runs_in_the_background_ends_with_the_session(tmp_path: Path, runs) -> None:
    model = commands("nohup sleep 600 & echo $! > child", "(exit 4)")
    agent = create_agent(model, middleware=[shell_middleware(tmp_path)])
    messages = agent.invoke({"messages": [HumanMessage("go")]})["messages"]
    assert "Exit code: 4" in messages[-2].content
    assert not runs(int((tmp_path / "child").read_text()))


def test_the_root_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        shell_middleware(tmp_path / "missing")
