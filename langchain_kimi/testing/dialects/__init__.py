"""The four dialects by name."""

from __future__ import annotations

from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.dialects.moonshot import Moonshot
from langchain_kimi.testing.dialects.nvidia import Nvidia
from langchain_kimi.testing.dialects.sglang import Sglang
from langchain_kimi.testing.dialects.vllm import Vllm

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (Nvidia(), Vllm(), Sglang(), Moonshot())
}

__all__ = ["DIALECTS", "Dialect"]
