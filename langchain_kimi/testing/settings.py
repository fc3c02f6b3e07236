"""What a server is set to."""

from __future__ import annotations

from dataclasses import dataclass

from langchain_kimi.testing.script import Part


@dataclass(kw_only=True)
class Settings:
    """The options of a `KimiServer`, as its dialect and its handlers read them."""

    models: tuple[str, ...]
    retired_models: tuple[str, ...] = ()
    api_key: str | None = None
    context_window: int = 262_144
    tokens_per_second: float | None = None
    chunk_chars: int | None = 16
    seed: int | None = None
    faults: tuple[Part, ...] = ()
    accepts: frozenset[str] = frozenset()
    parallel_tool_calls: bool = False
