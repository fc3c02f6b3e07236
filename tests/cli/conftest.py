"""The command line, run in this process on a scripted endpoint."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from langchain_kimi.cli import app

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wide terminal without colours, and no endpoint in the environment."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "NVIDIA_BASE_URL", "KIMI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def command() -> Command:
    """Run a command."""

    def command(*arguments: str, **options: Any) -> Result:
        return CliRunner().invoke(app, arguments, catch_exceptions=False, **options)

    return command


@pytest.fixture
def on(kimi_server: Any) -> list[str]:
    """The options that point a command to the test's server."""
    return ["--base-url", kimi_server.base_url]
