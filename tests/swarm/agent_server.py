"""A server of the Agent Protocol in a few lines, which can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Fault = Callable[[str, str], tuple[int, bytes] | None]


class AgentServer(ThreadingHTTPServer):
    """Answers each question with its words, `seconds` after it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seconds = 0.0
        self.threads: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []
        """Each request: its method, and its path with `ID` for every id."""
        self.fault: Fault = lambda _method, _path: None
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hung up: cancelled ones do."""

    def begin(self, thread: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Begin a run."""
        run = {"run_id": str(uuid.uuid4()), "status": "running", "until": time.time()}
        run["until"] += self.seconds
        thread["runs"].insert(0, run)
        for message in (body.get("input") or {}).get("messages", ()):
            kind = {"user": "human", "assistant": "ai"}[message["role"]]
            thread["messages"].append({"type": kind, "content": message["content"]})
        return run

    def look(self, thread: dict[str, Any]) -> None:
        """End what is due."""
        for run in thread["runs"]:
            if run["status"] == "running" and time.time() >= run["until"]:
                run["status"] = "success"
                words = thread["messages"][-1]["content"]
                thread["messages"].append({"type": "ai", "content": f"did {words}"})


class _Handler(BaseHTTPRequestHandler):
    server: AgentServer

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        _, *parts = self.path.partition("?")[0].split("/")
        shape = "/".join("ID" if place in (1, 3) else part for place, part in enumerate(parts))
        self.server.asked.append((self.command, shape))
        wrong = self.server.fault(self.command, shape)
        if wrong is not None:
            self._send(*wrong)
        elif shape == "threads":
            new = {"runs": [], "messages": []}
            self.server.threads.setdefault(body["thread_id"], new)
            self._send(200, b"{}")
        elif (thread := self.server.threads.get(parts[1])) is None:
            self._send(404, b'{"detail": "no such thread"}')
        else:
            self._of_thread(thread, shape, parts, body)

    def _of_thread(self, thread: Any, shape: str, parts: list[str], body: Any) -> None:
        self.server.look(thread)
        busy = any(run["status"] == "running" for run in thread["runs"])
        match self.command, shape:
            case "GET", "threads/ID/state":
                state = {"values": {"messages": thread["messages"]}, "next": ["x"] * busy}
                self._send(200, json.dumps(state).encode())
            case "GET", "threads/ID/runs":
                self._send(200, json.dumps(thread["runs"]).encode())
            case "POST", "threads/ID/runs":
                self._send(200, json.dumps(self.server.begin(thread, body)).encode())
            case "GET", "threads/ID/runs/ID/stream":
                self._send(200, b"", "text/event-stream")  # ends before the run does
            case _:
                run = next(run for run in thread["runs"] if run["run_id"] == parts[3])
                if shape.endswith("/cancel"):
                    run["status"] = "interrupted"
                self._send(200, json.dumps(run).encode())

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _send(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
