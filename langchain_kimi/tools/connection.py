"""One HTTP request to an address that was checked, with one deadline over all of it.

The standard library's client is used, because the connection must go to the address that was
checked: a client that resolves the name again could be led elsewhere. Its timeouts are for each
read, so that a server which sends a byte now and then is never cut off; here each read gets only
the time that is left.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_kimi.tools.hosts import Target

MAX_BYTES = 2_000_000


class Deadline:
    """A point in time by which everything must be over."""

    def __init__(self, seconds: float) -> None:
        """Start the clock."""
        self._end = time.monotonic() + seconds
        self._seconds = seconds

    def left(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: When there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            msg = f"no end within {self._seconds:.0f} seconds"
            raise TimeoutError(msg)
        return left


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a server answered; the body is cut after `MAX_BYTES` and one more byte."""

    status: int
    reason: str
    headers: http.client.HTTPMessage
    body: bytes


def get(target: Target, headers: Mapping[str, str], deadline: Deadline) -> Reply:
    """Get a page; errors as for `send`."""
    return send("GET", target, headers, deadline)


def send(
    method: str,
    target: Target,
    headers: Mapping[str, str],
    deadline: Deadline,
    body: bytes | None = None,
) -> Reply:
    """Make a request.

    Raises:
        OSError: When the server cannot be reached, or the time is up.
        http.client.HTTPException: When it does not speak HTTP, or breaks off.
    """
    connection = http.client.HTTPConnection(target.host, target.port)
    with _open(target, deadline) as stream, closing(connection):
        connection.sock = _TimedSocket(stream, deadline)
        sent = {**headers, "Host": target.netloc}
        connection.request(method, target.path, body=body, headers=sent)
        with connection.getresponse() as response:
            return Reply(
                status=response.status,
                reason=response.reason,
                headers=response.headers,
                body=_body(response),
            )


class _TimedSocket:
    """What `http.client` needs of a socket; the socket itself is closed by its owner."""

    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._stream.settimeout(self._deadline.left())
        self._stream.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self._stream, self._deadline))

    def close(self) -> None:
        """Leave the socket to its owner."""


class _TimedReader(io.RawIOBase):
    def __init__(self, stream: socket.socket, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._stream.settimeout(self._deadline.left())
        return self._stream.recv_into(buffer)


def _open(target: Target, deadline: Deadline) -> socket.socket:
    """Connect to the first address that answers, under the name of the host."""
    failure = OSError("the host has no address")
    for address in target.addresses:
        try:
            stream = socket.create_connection((address, target.port), timeout=deadline.left())
        except OSError as error:
            failure = error
            continue
        return _secured(stream, target.host) if target.scheme == "https" else stream
    raise failure


def _secured(stream: socket.socket, host: str) -> socket.socket:
    """Shake hands within the time that the connection was given."""
    try:
        return ssl.create_default_context().wrap_socket(stream, server_hostname=host)
    except BaseException:
        stream.close()
        raise


def _body(response: http.client.HTTPResponse) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= MAX_BYTES and (piece := response.read1(65_536)):
        pieces.append(piece)
        size += len(piece)
    body = b"".join(pieces)
    if size <= MAX_BYTES and response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body[: MAX_BYTES + 1]
