"""One scripted endpoint a dialect, and models that close with the test."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Literal, get_args

import pytest
from PIL import Image

from langchain_kimi import ChatKimi
from langchain_kimi.testing import KimiServer

from .calling import Ask, Mode

Dialect = Literal["nvidia", "vllm", "sglang", "moonshot"]
KEY = "nvapi-c0ffee-0123456789"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NVIDIA_API_KEY", "NVIDIA_BASE_URL", "MOONSHOT_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[str], KimiServer]]:
    """Start a server for a dialect when it is first asked for."""
    with ExitStack() as stack:
        running: dict[str, KimiServer] = {}

        def server_of(dialect: Any) -> KimiServer:
            if dialect not in running:
                running[dialect] = stack.enter_context(KimiServer(dialect, chunk_chars=5))
            return running[dialect]

        yield server_of


@pytest.fixture(params=get_args(Dialect))
def server(
    request: pytest.FixtureRequest, servers: Callable[[str], KimiServer]
) -> Iterator[KimiServer]:
    """A server of each dialect, without script or records of other tests."""
    running = servers(request.param)
    running.clear()
    yield running
    running.clear()


@pytest.fixture
def vllm(servers: Callable[[str], KimiServer]) -> Iterator[KimiServer]:
    """The dialect that is taken where it does not matter."""
    running = servers("vllm")
    running.clear()
    yield running
    running.clear()


@pytest.fixture
def connect() -> Iterator[Callable[..., ChatKimi]]:
    """Make models of a server; they are closed after the test."""
    made: list[ChatKimi] = []

    def model_of(server: KimiServer, **options: Any) -> ChatKimi:
        settings = {
            "base_url": server.base_url,
            "endpoint": server.dialect,
            "api_key": KEY,
            "max_retries": 0,
            "timeout": 20,
            **options,
        }
        made.append(ChatKimi(**settings))
        return made[-1]

    yield model_of
    for model in made:
        model.close()


@pytest.fixture(params=get_args(Mode))
def ask(request: pytest.FixtureRequest) -> Ask:
    """Ask by `invoke`, `ainvoke`, `stream` and `astream`, with one signature."""
    return Ask(request.param)


@pytest.fixture
def png() -> dict[str, Any]:
    """A picture as a content block."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "navy").save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image", "base64": data, "mime_type": "image/png"}
