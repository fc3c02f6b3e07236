"""A server that costs the measured process nothing: raw asyncio, in a process of its own.

It answers chat completions with a fixed reply or a fixed stream. `GET /control?hold=N` makes it
hold back whole replies until N requests wait, so that N calls are truly in flight; `GET /stats`
tells the connections it has accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
from urllib.parse import parse_qs, urlsplit

CHUNKS = 5000
BURST = 50
HOLD_SECONDS = 3.0

TEXT = "The capital of France is Paris, on the Seine. " * 12
WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "moonshotai/kimi-k2.6",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT, "reasoning_content": "Easy. " * 40},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 500, "completion_tokens": 200, "total_tokens": 700},
}


def delta(content: dict[str, str], finish: str | None = None) -> bytes:
    """Return one event of a stream, as a chunk of the body."""
    event = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "moonshotai/kimi-k2.6",
        "choices": [{"index": 0, "delta": content, "logprobs": None, "finish_reason": finish}],
    }
    return chunk(f"data: {json.dumps(event)}\n\n".encode())


def chunk(data: bytes) -> bytes:
    """Return a piece of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def reply(value: object) -> bytes:
    """Return a JSON reply."""
    body = json.dumps(value).encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


REPLY = reply(WHOLE)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    + delta({"role": "assistant", "content": ""})
)
STREAM_BURST = delta({"content": " token"}) * BURST
STREAM_END = delta({}, "stop") + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Gate:
    """Hold replies back until enough requests wait."""

    def __init__(self) -> None:
        self.connections = 0
        self.hold = 1
        self._waiting: list[asyncio.Transport] = []
        self._timer: asyncio.TimerHandle | None = None

    def answer(self, transport: asyncio.Transport) -> None:
        """Answer a request, now or with the others."""
        self._waiting.append(transport)
        if len(self._waiting) >= self.hold:
            self.release()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HOLD_SECONDS, self.release)

    def release(self) -> None:
        """Answer all that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for transport in waiting:
            transport.write(REPLY)


class Connection(asyncio.Protocol):
    """One connection: cut requests out of the bytes and answer them."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._bytes = bytearray()
        self._streams: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._gate.connections += 1

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while (end := self._bytes.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._bytes[:end]).lower()
            _, found, length = head.partition(b"content-length:")
            size = int(length.split(b"\r\n")[0]) if found else 0
            if len(self._bytes) < end + 4 + size:
                return
            body = bytes(self._bytes[end + 4 : end + 4 + size])
            del self._bytes[: end + 4 + size]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        target = head.split(b" ", 2)[1].decode()
        if target.startswith("/control"):
            self._gate.hold = int(parse_qs(urlsplit(target).query)["hold"][0])
            self._transport.write(reply({}))
        elif target.startswith("/stats"):
            self._transport.write(reply({"connections": self._gate.connections}))
        elif b'"stream":true' in body.replace(b" ", b""):
            task = asyncio.ensure_future(self._stream())
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        elif target.endswith("/models"):
            self._transport.write(reply({"data": [{"id": WHOLE["model"]}]}))
        else:
            self._gate.answer(self._transport)

    async def _stream(self) -> None:
        self._transport.write(STREAM_HEAD)
        for _ in range(CHUNKS // BURST):
            self._transport.write(STREAM_BURST)
            await asyncio.sleep(0)
        self._transport.write(STREAM_END)


async def serve(certificate: str | None) -> None:
    """Serve until killed; print the port."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    gate = Gate()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(gate), "127.0.0.1", 0, ssl=context, backlog=1024
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--certificate", help="PEM file with a key and its certificate")
    asyncio.run(serve(parser.parse_args().certificate))
