"""Serving the scripted endpoint."""

import errno
import threading
from typing import Any

import typer

from langchain_kimi.testing import KimiServer


def serve(dialect: Any, *, host: str, port: int, api_key: str | None, pace: float | None) -> None:
    """Serve until Ctrl-C.

    Raises:
        OSError: When the port is taken, or cannot be listened on.
    """
    server = KimiServer(dialect, host=host, port=port, api_key=api_key, tokens_per_second=pace)
    try:
        with server:
            typer.echo(f"Stand-in (no model) speaking {server.dialect} on {server.base_url}")
            threading.Event().wait()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        msg = f"{host}:{port} is in use, by an endpoint perhaps; --port 0 takes a free port"
        raise OSError(msg) from error
