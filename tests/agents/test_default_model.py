"""Where an agent's model comes from when none is given."""

import logging
import subprocess
import sys

import pytest

from langchain_kimi.agents import default_model, is_stand_in
from langchain_kimi.testing import KimiServer


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch) -> None:
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "NVIDIA_BASE_URL", "KIMI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_arguments_come_first(monkeypatch) -> None:
    monkeypatch.setenv("KIMI_BASE_URL", "http://127.0.0.1:1/v1")
    model = default_model(
        model="moonshotai/kimi-k2.5", base_url="http://127.0.0.1:2/v1", thinking=False
    )
    assert model.base_url == "http://127.0.0.1:2/v1"
    assert (model.model, model.thinking) == ("moonshotai/kimi-k2.5", False)
    assert not is_stand_in(model)


@pytest.mark.parametrize(
    ("environment", "base_url", "endpoint"),
    [
        ({"NVIDIA_API_KEY": "nvapi-x"}, "https://integrate.api.nvidia.com/v1", "nvidia"),
        ({"MOONSHOT_API_KEY": "sk-x"}, "https://api.moonshot.ai/v1", "moonshot"),
        (
            {"MOONSHOT_API_KEY": "sk-x", "NVIDIA_API_KEY": "nvapi-x"},
            "https://integrate.api.nvidia.com/v1",
            "nvidia",
        ),
        ({"NVIDIA_BASE_URL": "http://127.0.0.1:3/v1"}, "http://127.0.0.1:3/v1", "vllm"),
        (
            {"KIMI_BASE_URL": "http://127.0.0.1:4/v1", "NVIDIA_BASE_URL": "http://127.0.0.1:3"},
            "http://127.0.0.1:4/v1",
            "vllm",
        ),
    ],
)
def test_then_the_environment(monkeypatch, environment, base_url, endpoint) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    model = default_model()
    assert model.base_url == base_url
    assert model._identifying_params["endpoint"] == endpoint


def test_then_the_stand_in_which_says_once_what_it_is(caplog, monkeypatch) -> None:
    servers: list[KimiServer] = []
    monkeypatch.setattr(sys.modules["langchain_kimi.agents.default_model"], "_servers", servers)
    try:
        with caplog.at_level(logging.WARNING, "langchain_kimi"):
            models = [default_model(), default_model(thinking=False)]
        assert all(is_stand_in(model) for model in models)
        assert models[0].base_url == models[1].base_url
        assert models[0].invoke("Hello").text.startswith("Stand-in (no model)")
        assert [record.message.partition(":")[0] for record in caplog.records] == [
            "No API key and no base URL are set"
        ]
        assert "It is no model" in caplog.text
    finally:
        for model in models:
            model.close()
        for server in servers:
            server.stop()


def test_importing_the_package_does_not_bring_in_the_agents() -> None:
    code = (
        "import sys, langchain_kimi; from langchain_kimi import ChatKimi; "
        "print([m for m in ('langchain.agents', 'langgraph', 'langchain_kimi.testing') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
