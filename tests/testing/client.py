"""A raw HTTP client for the scripted endpoint: what crosses the wire, and nothing else."""

import http.client
import json
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.error import HTTPError

from langchain_kimi.testing import KimiServer

DIALECTS = ("nvidia", "vllm", "sglang", "moonshot")
REASONING = {
    "nvidia": "reasoning_content",
    "vllm": "reasoning",
    "sglang": "reasoning_content",
    "moonshot": "reasoning_content",
}
TIMEOUT = 30


@dataclass
class Answer:
    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> dict[str, Any]:
        return self.json["choices"][0]["message"]

    @property
    def events(self) -> list[Any]:
        """The JSON of each event; the text ``[DONE]`` stays text."""
        data = [
            line.removeprefix("data: ")
            for line in self.body.decode().split("\n\n")
            if line.startswith("data: ")
        ]
        return [text if text == "[DONE]" else json.loads(text) for text in data]

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [
            event["choices"][0]["delta"]
            for event in self.events
            if event != "[DONE]" and event["choices"]
        ]

    @property
    def call_deltas(self) -> list[dict[str, Any]]:
        return [call for delta in self.deltas for call in delta.get("tool_calls") or ()]

    def text(self, field: str) -> str:
        return "".join(delta.get(field) or "" for delta in self.deltas)

    @property
    def error(self) -> str:
        """The text of an error, wherever the dialect has it."""
        body = self.json
        if isinstance(body.get("error"), dict):
            return body["error"]["message"]
        return body.get("message") or body.get("detail") or body.get("error")


def request(
    server: KimiServer, path: str, body: Any = None, *, method: str | None = None, **headers: str
) -> Answer:
    """Send a request to a path of the server; mappings and lists go as JSON."""
    url = server.base_url.removesuffix("/v1") + path
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    all_headers = {"Content-Type": "application/json", **headers}
    prepared = urllib.request.Request(url, data, all_headers, method=method)
    try:
        with urllib.request.urlopen(prepared, timeout=TIMEOUT) as reply:
            return Answer(reply.status, reply.headers, reply.read())
    except HTTPError as failed:
        with failed:
            return Answer(failed.status, failed.headers, failed.read())


def chat_body(server: KimiServer, **fields: Any) -> dict[str, Any]:
    return {
        "model": server.settings.models[0],
        "messages": [{"role": "user", "content": "Hello"}],
        **fields,
    }


def chat(server: KimiServer, **fields: Any) -> Answer:
    """Ask for a completion."""
    return request(server, "/v1/chat/completions", chat_body(server, **fields))


def stream(server: KimiServer, **fields: Any) -> Answer:
    """Ask for a streamed completion."""
    return chat(server, stream=True, **fields)


def stream_until_cut(server: KimiServer, **fields: Any) -> bytes:
    """Read a stream that breaks off; fail when it does not."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT)
    try:
        body = json.dumps(chat_body(server, stream=True, **fields))
        connection.request("POST", "/v1/chat/completions", body)
        reply = connection.getresponse()
        try:
            complete = reply.read()
        except http.client.IncompleteRead as broken:
            return broken.partial
    finally:
        connection.close()
    msg = f"the stream was not cut: {complete!r}"
    raise AssertionError(msg)


def tool(name: str, description: str = "", **properties: Any) -> dict[str, Any]:
    """Declare a tool whose parameters are all required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}
