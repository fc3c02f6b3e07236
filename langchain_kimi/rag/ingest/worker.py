"""A process that parses files for a corpus: jobs on its standard input, results on its output.

A parser that crashes or hangs takes down only this process. Run as `python -m`.
"""

from __future__ import annotations

import os
import pickle
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from langchain_kimi.rag.errors import RagError
from langchain_kimi.rag.ingest.parse import ParseSettings, parse_file
from langchain_kimi.rag.ingest.parsed import Parsed

_HEADER = struct.Struct(">Q")


def send(stream: IO[bytes], value: Any) -> None:
    """Write one value with its length in front."""
    data = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(_HEADER.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one value.

    Raises:
        EOFError: If the other side has ended.
    """
    header = _exactly(stream, _HEADER.size)
    return pickle.loads(_exactly(stream, _HEADER.unpack(header)[0]))  # noqa: S301 our own process


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        block = stream.read(size - len(data))
        if not block:
            raise EOFError
        data += block
    return bytes(data)


def parse_or_reason(path: Path, settings: ParseSettings) -> Parsed | str:
    """Parse a file; what is wrong with it comes back as a sentence."""
    try:
        return parse_file(path, settings)
    except RagError as error:
        return str(error)
    except MemoryError:
        return f"{path.name} needs more memory than a worker may use"
    except FileNotFoundError:
        return f"{path.name} is gone"
    except RecursionError:
        return f"{path.name} is nested too deeply"
    except Exception as error:  # noqa: BLE001
        # Parsers of other people's formats: whatever they raise concerns this file alone.
        return f"{path.name} could not be parsed: {type(error).__name__}: {error}"[:500]


def limit_memory(size: int) -> None:
    """Bound the memory of this process, where the system can."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (size, size))


def main() -> None:
    """Serve jobs until the input ends."""
    jobs, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # What a library prints must not get between the results.
    os.dup2(2, 1)
    limit_memory(int(sys.argv[1]))
    send(results, None)  # ready: the time for a file does not count the imports
    while True:
        try:
            path, settings = receive(jobs)
        except EOFError:
            return
        send(results, parse_or_reason(path, settings))


if __name__ == "__main__":
    main()
