"""An incremental reader of server-sent events: bytes in, payloads out, no I/O."""

from __future__ import annotations

_BOM = b"\xef\xbb\xbf"


class SseReader:
    """Cut a stream of bytes into the payloads of its `data:` lines.

    Takes the bytes in pieces of any size and any cut: inside a line, a line ending or a character.
    Follows the WHATWG rules: lines end in LF, CR or CRLF; a blank line ends an event; the `data:`
    lines of one event are joined by a newline; comments and other fields are skipped; a byte order
    mark at the start is ignored. The time is linear in the bytes, however long a line is.
    """

    def __init__(self) -> None:
        self._line: list[bytes] = []
        self._data: list[bytes] = []
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[str]:
        """Return the payloads that these bytes complete."""
        if self._after_cr and chunk:
            self._after_cr = False
            if chunk[0] == 0x0A:
                chunk = chunk[1:]
        if not chunk:
            return []
        lines = chunk.splitlines()
        ended = chunk[-1] in b"\r\n"
        self._after_cr = chunk[-1] == 0x0D
        if len(lines) == 1 and not ended:
            self._line.append(chunk)
            return []
        if self._line:
            self._line.append(lines[0])
            lines[0] = b"".join(self._line)
        self._line = [] if ended else [lines.pop()]
        return self._read_lines(lines)

    def finish(self) -> list[str]:
        """Return what an event without its closing blank line holds, at the end of the stream."""
        lines = [b"".join(self._line), b""]
        self._line = []
        return self._read_lines(lines)

    def _read_lines(self, lines: list[bytes]) -> list[str]:
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BOM)
        payloads = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self._data:
                payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
                self._data = []
                if payload:
                    payloads.append(payload.decode("utf-8", "replace"))
            elif line == b"data":
                self._data.append(b"")
        return payloads
