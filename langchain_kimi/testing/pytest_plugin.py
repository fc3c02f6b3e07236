"""Pytest fixtures: `kimi_server` for one test, `kimi_server_factory` for several servers.

Installed with the package. Mark a test to set its server up::

    @pytest.mark.kimi(dialect="moonshot", tokens_per_second=50)
    def test_answer(kimi_server):
        kimi_server.script(say("Paris."))
        assert ask(kimi_server.base_url) == "Paris."
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from langchain_kimi.testing.server import KimiServer

MARK = "kimi(dialect='vllm', **options): the options of the KimiServer behind kimi_server."


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark."""
    config.addinivalue_line("markers", MARK)


@pytest.fixture
def kimi_server_factory() -> Iterator[Callable[..., KimiServer]]:
    """Give a function that starts servers; all are stopped after the test."""
    from langchain_kimi.testing.server import KimiServer  # noqa: PLC0415 - brings in aiohttp

    with ExitStack() as stack:

        def start(dialect: Any = "vllm", **options: Any) -> KimiServer:
            return stack.enter_context(KimiServer(dialect, **options))

        yield start


@pytest.fixture
def kimi_server(
    request: pytest.FixtureRequest, kimi_server_factory: Callable[..., KimiServer]
) -> KimiServer:
    """Give a running server, set up by ``@pytest.mark.kimi(…)``."""
    mark = request.node.get_closest_marker("kimi")
    if mark is None:
        return kimi_server_factory()
    return kimi_server_factory(*mark.args, **mark.kwargs)
