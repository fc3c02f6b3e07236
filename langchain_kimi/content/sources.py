"""Where media come from: paths and bytes, and never a URL by mistake."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path
from typing import Any

from langchain_kimi.errors import KimiInvalidInputError

__all__ = ["link", "local_path", "read_bytes", "require"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|data:|ms://", re.ASCII)


def require(module: str) -> Any:
    """Import a library of the extra `media`.

    Raises:
        ImportError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        msg = (
            f"{module.partition('.')[0]} is needed for pictures, films and documents: "
            'pip install "langchain-kimi-nvidia[media]"'
        )
        raise ImportError(msg) from error


def local_path(source: str | os.PathLike[str], *, kind: str) -> Path:
    """Return the path of a file.

    Args:
        source: A path.
        kind: The helper's name, for error messages.

    Raises:
        KimiInvalidInputError: It is a URL, or there is no such file.
    """
    text = os.fspath(source)
    if _URL.match(text):
        msg = (
            f"{kind}() got the URL {text[:80]!r}; it reads local files only. To have the server "
            f"fetch it, say so: {kind}(url=...)"
        )
        raise KimiInvalidInputError(msg)
    path = Path(text)
    if not path.is_file():
        msg = f"{kind}(): there is no file {text!r}; give a path, bytes, or url="
        raise KimiInvalidInputError(msg)
    return path


def read_bytes(
    source: str | os.PathLike[str] | bytes, *, kind: str, most: int
) -> tuple[bytes, str | None]:
    """Read a file or take bytes as they are.

    Args:
        source: A path, or the bytes.
        kind: The helper's name, for error messages.
        most: How many bytes are read at most.

    Returns:
        The bytes, and the file's name.

    Raises:
        KimiInvalidInputError: There is no such file, it is empty or too large.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, name, size = bytes(source), None, len(source)
    else:
        path = local_path(source, kind=kind)
        size, name = path.stat().st_size, path.name
        data = path.read_bytes() if size <= most else b""
    if size > most:
        msg = f"{kind}(): {name or 'the data'} has {size:,} bytes, at most {most:,} are read"
        raise KimiInvalidInputError(msg)
    if not data:
        msg = f"{kind}(): {name or 'the data'} is empty"
        raise KimiInvalidInputError(msg)
    return data, name


def link(kind: str, source: object, url: str | None, file_id: str | None) -> dict[str, str] | None:
    """Return the block's key for a URL or file id, None where there is a source to read.

    Raises:
        KimiInvalidInputError: Not exactly one of the three was given.
    """
    given = [value for value in (source, url, file_id) if value is not None]
    if len(given) != 1:
        msg = f"{kind}() takes one of a path or bytes, url= and file_id=; {len(given)} were given"
        raise KimiInvalidInputError(msg)
    if url is not None:
        return {"url": url}
    return {"file_id": file_id} if file_id is not None else None
