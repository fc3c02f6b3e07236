"""Serving the scripted endpoint."""

import threading
from typing import Any

import typer

from langchain_kimi.testing import KimiServer


def serve(dialect: Any, *, host: str, port: int, api_key: str | None, pace: float | None) -> None:
    """Serve until Ctrl-C."""
    server = KimiServer(dialect, host=host, port=port, api_key=api_key, tokens_per_second=pace)
    with server:
        typer.echo(f"Stand-in (no model) speaking {server.dialect} on {server.base_url}")
        threading.Event().wait()
