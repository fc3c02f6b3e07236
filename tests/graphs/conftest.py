"""The deployable graphs, loaded by path as LangGraph Server loads them."""

import base64
import importlib.util
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def tool_use() -> Iterator[ModuleType]:
    """The module `graphs/tool_use.py`."""
    from langchain_kimi.agents.served import served_model

    path = REPOSITORY / "graphs/tool_use.py"
    spec = importlib.util.spec_from_file_location("deployed_tool_use", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    served_model.cache_clear()
    yield module
    served_model.cache_clear()
    del sys.modules[spec.name]


@pytest.fixture
def png() -> str:
    """A picture of one pixel, in base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")).decode()
