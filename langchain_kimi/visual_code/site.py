"""The only network that a rendered page has: a proxy that serves this one page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ADDRESS = "http://page.invalid/"
_POLICY = (
    "default-src 'none'; img-src data:; font-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; sandbox allow-scripts"
)


@dataclass
class Site:
    """A running proxy."""

    port: int
    refused: list[str] = field(default_factory=list)
    """What the page asked for and did not get."""


@contextmanager
def serving(html: str) -> Iterator[Site]:
    """Serve a page at `ADDRESS` to whoever uses this proxy; refuse everything else."""
    body = html.encode("utf-8", "replace")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != ADDRESS:
                self._refuse()
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", _POLICY)
            self.end_headers()
            self.wfile.write(body)

        def _refuse(self) -> None:
            site.refused.append(f"{self.command} {self.path}")
            self.send_error(403)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):  # any other method: CONNECT, POST …
                return self._refuse
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        site = Site(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
