"""Servers, and a bucket that takes signed uploads on a host of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from langchain_kimi.content.pictures import CACHE
from langchain_kimi.delivery.films import FRAMES
from langchain_kimi.delivery.pictures import FINE
from langchain_kimi.testing import KimiServer

from .helpers import Bucket, Put


@pytest.fixture(autouse=True)
def _empty_caches() -> None:
    for cache in (CACHE, FINE, FRAMES):
        cache.clear()


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            kept.puts.append(Put(self.path, headers, data))
            self.send_response(kept.status)
            self.send_header("content-length", "9")
            self.end_headers()
            self.wfile.write(b"SIGNATURE")

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept = Bucket(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., KimiServer]]:
    """Start servers that end with the test."""
    started: list[KimiServer] = []

    def start(dialect: Any, **settings: Any) -> KimiServer:
        started.append(KimiServer(dialect=dialect, **settings).start())
        return started[-1]

    yield start
    for server in started:
        server.stop()
