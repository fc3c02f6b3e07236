"""A scripted Kimi endpoint for tests, notebooks and demos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_kimi.testing.callfaults import (
    broken_arguments,
    dict_arguments,
    dropped_calls,
    duplicate_ids,
    interleaved,
    late_names,
    missing_ids,
    missing_indexes,
    missing_names,
    raw_control_characters,
)
from langchain_kimi.testing.faults import (
    accepted,
    chunked,
    comment,
    cut,
    drop,
    end_early,
    error,
    error_event,
    finish,
    forbidden,
    framed,
    gone,
    hang,
    leaked,
    malformed_chunk,
    out_of_quota,
    pause,
    rate_limited,
    raw,
    retired,
    server_error,
    slow_first_token,
    unauthorized,
)
from langchain_kimi.testing.script import call, call_with_id, say, say_json, think, turn

if TYPE_CHECKING:
    from langchain_kimi.testing.server import KimiServer

__all__ = [
    "KimiServer",
    "accepted",
    "broken_arguments",
    "call",
    "call_with_id",
    "chunked",
    "comment",
    "cut",
    "dict_arguments",
    "drop",
    "dropped_calls",
    "duplicate_ids",
    "end_early",
    "error",
    "error_event",
    "finish",
    "forbidden",
    "framed",
    "gone",
    "hang",
    "interleaved",
    "late_names",
    "leaked",
    "malformed_chunk",
    "missing_ids",
    "missing_indexes",
    "missing_names",
    "out_of_quota",
    "pause",
    "rate_limited",
    "raw",
    "raw_control_characters",
    "retired",
    "say",
    "say_json",
    "server_error",
    "slow_first_token",
    "think",
    "turn",
    "unauthorized",
]


def __getattr__(name: str) -> object:
    """Load the server, and aiohttp with it, when it is asked for."""
    if name == "KimiServer":
        from langchain_kimi.testing.server import KimiServer  # noqa: PLC0415 - brings in aiohttp

        return KimiServer
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
