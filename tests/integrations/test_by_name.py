"""Kimi by name: init_chat_model and deepagents, on the scripted endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from langchain.chat_models import init_chat_model

import langchain_kimi
from langchain_kimi import ChatKimi
from langchain_kimi.testing import KimiServer, call, say, think

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KimiServer]:
    with KimiServer(dialect="vllm") as server:
        monkeypatch.setenv("NVIDIA_BASE_URL", server.base_url)
        yield server


def test_init_chat_model_knows_kimi_once_registered(server: KimiServer) -> None:
    langchain_kimi.register()
    server.script(say("Hello."))
    llm = init_chat_model("kimi:moonshotai/kimi-k2.6", temperature=0.3)
    assert isinstance(llm, ChatKimi)
    assert llm.invoke("Hi").content == "Hello."
    assert server.requests[0]["temperature"] == 0.3


@pytest.mark.filterwarnings("default")  # deepagents' own deprecations are not ours to fail on
def test_deepagents_builds_kimi_by_name_with_its_middleware(server: KimiServer) -> None:
    from deepagents import create_deep_agent

    server.script(
        think("I plan."),
        call("write_todos", todos=[{"content": "answer", "status": "in_progress"}]),
        say("Done."),
    )
    agent = create_deep_agent("kimi:moonshotai/kimi-k2.6")
    state = agent.invoke({"messages": [("user", "Do it.")]})
    assert state["messages"][-1].content == "Done."
    assert any("InvalidToolCallRepair" in node for node in agent.get_graph().nodes)
    assistant = server.requests[1]["messages"][-2]
    assert assistant["reasoning"] == "I plan."
    assert assistant["tool_calls"][0]["id"] == "functions.write_todos:0"
