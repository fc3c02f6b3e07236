"""Read-only file tools within a root folder: list, read, search.

langchain's `FilesystemFileSearchMiddleware` does not serve: its results have no bound, it searches
`.git` and `.venv` unless ripgrep is installed, it lists by time of change, so the same files give
different answers, and it reads files that hold secrets.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from langchain_core.tools import BaseTool, ToolException, tool

from langchain_kimi.tools.patterns import Pattern, glob, regular_expression
from langchain_kimi.tools.root import Entry, Root, below
from langchain_kimi.tools.secrets import SECRET_FILES, Secrets

MAX_ENTRIES = 500
MAX_LINES = 400
MAX_LINE_CHARACTERS = 2_000
MAX_READ_BYTES = 50_000_000
MAX_SEARCH_BYTES = 5_000_000
MAX_MATCHES = 100
MAX_MATCH_CHARACTERS = 300
MAX_CHARACTERS = 60_000
MAX_SECONDS = 20.0

_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def file_tools(root: str | Path, *, secrets: Sequence[str] = SECRET_FILES) -> list[BaseTool]:
    """Make the tools `list_files`, `read_file` and `search_files` for a folder.

    The tools only read. A path that leaves the folder, also through a symlink, is refused, and
    so are files that usually hold secrets (`.env`, `.ssh/`, `*.pem`, …), which are not listed or
    searched either. Binary files and what is too long are left out with a note that says so.

    Args:
        root: The folder.
        secrets: What to keep from the model; `[*SECRET_FILES, "*.sqlite"]` adds to the table.

    Returns:
        The tools, in this order.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    files = _Files(Root(root, Secrets(secrets)))

    @tool(parse_docstring=True)
    def list_files(path: str = ".", pattern: str = "") -> str:
        """List files within the root folder.

        Without a pattern: what is directly in the folder, folders with a slash at the end.
        With a pattern: all files below the folder whose path matches, for example
        `**/*.py` or `*.md`. Folders such as .git, .venv and node_modules are left out.

        Args:
            path: The folder, relative to the root.
            pattern: A glob: `*` within a name, `**/` across folders, `{a,b}` alternatives;
                empty for no pattern.
        """
        return files.list(path, pattern)

    @tool(parse_docstring=True)
    def read_file(path: str, start_line: int = 1, line_count: int = MAX_LINES) -> str:
        """Read a text file, with line numbers.

        Args:
            path: The file, relative to the root.
            start_line: The first line to show; lines count from 1.
            line_count: How many lines to show, at most 400.
        """
        return files.read(path, start_line, line_count)

    @tool(parse_docstring=True)
    def search_files(pattern: str, path: str = ".", include: str = "") -> str:
        """Search text files for a regular expression, line by line.

        Gives `path:line: text` for each match, at most 100. Folders such as .git, .venv and
        node_modules are not searched.

        Args:
            pattern: A regular expression in RE2 syntax (no lookaround, no backreferences);
                start it with (?i) to ignore case.
            path: The folder or file to search, relative to the root.
            include: Search only files that match this glob, for example `*.py`; empty for all.
        """
        return files.search(pattern, path, include)

    return [_reporting(made) for made in (list_files, read_file, search_files)]


def _reporting(made: BaseTool) -> BaseTool:
    """Let the model read a refusal as an error result."""
    made.handle_tool_error = True
    return made


class _Files:
    """The work behind the three tools."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def list(self, path: str, pattern: str) -> str:
        folder = self.root.resolve(path)
        if not folder.is_dir():
            msg = f"{path!r} is a file, not a folder. Read it with read_file."
            raise ToolException(msg)
        names = self._matching(folder, glob(pattern)) if pattern else self._entries(folder)
        shown = list(islice(names, MAX_ENTRIES))
        if not shown:
            return "[no files]"
        if next(names, None) is not None:
            shown.append(f"[the first {MAX_ENTRIES} only; narrow the path or the pattern]")
        return _joined(shown)

    def _entries(self, folder: Path) -> Iterator[str]:
        for entry in self.root.entries(folder):
            yield f"{self.root.relative(entry.path)}{'/' if entry.is_folder else ''}"

    def _matching(self, folder: Path, wanted: Pattern) -> Iterator[str]:
        deadline = _Deadline()
        for file in self.root.walk(folder):
            if deadline.is_over():
                yield deadline.note
                return
            inside = below(file.path, folder)
            if inside is not None and wanted.fits(_text(inside.as_posix())):
                yield self.root.relative(file.path)

    def read(self, path: str, start_line: int, line_count: int) -> str:
        file = self.root.resolve(path)
        if not file.is_file():
            msg = f"{path!r} is not a file. List it with list_files."
            raise ToolException(msg)
        with _refusal(path), self.root.open(file) as stream:
            size = _size(stream)
            if size > MAX_READ_BYTES:
                msg = f"{path!r} is too large to read: {size:,} bytes, at most {MAX_READ_BYTES:,}."
                raise ToolException(msg)
            lines = _lines(stream, MAX_READ_BYTES)
        if lines is None:
            msg = f"{path!r} is a binary file of {size:,} bytes and is not shown."
            raise ToolException(msg)
        return _numbered(lines, start_line, max(1, min(line_count, MAX_LINES)))

    def search(self, pattern: str, path: str, include: str) -> str:
        expression = regular_expression(pattern)
        wanted = glob(include) if include else None
        target = self.root.resolve(path)
        if not (target.is_dir() or target.is_file()):
            msg = f"{path!r} is neither a folder nor a file. List folders with list_files."
            raise ToolException(msg)
        search = _Search(self.root, expression)
        is_file = target.is_file()
        for file in [Entry(target, target, False)] if is_file else self.root.walk(target):
            if search.is_full():
                break
            relative = self.root.relative(file.path)
            if wanted is None or wanted.fits(relative):
                search.add(file.real, relative)
        return search.report()


class _Deadline:
    """The time that a listing or a search may take."""

    note = "[stopped when its time was up; narrow the path]"

    def __init__(self) -> None:
        self._end = time.monotonic() + MAX_SECONDS

    def is_over(self) -> bool:
        return time.monotonic() >= self._end


class _Search:
    """What was found so far."""

    def __init__(self, root: Root, expression: Pattern) -> None:
        self._root = root
        self._expression = expression
        self._deadline = _Deadline()
        self._found: list[str] = []
        self._skipped: list[str] = []

    def is_full(self) -> bool:
        return len(self._found) > MAX_MATCHES or self._deadline.is_over()

    def add(self, file: Path, relative: str) -> None:
        """Search a file."""
        try:
            with self._root.open(file) as stream:
                if _size(stream) > MAX_SEARCH_BYTES:
                    self._skipped.append("too large")
                    return
                lines = _lines(stream, MAX_SEARCH_BYTES)
        except OSError:
            self._skipped.append("unreadable")
            return
        if lines is None:
            self._skipped.append("binary")
            return
        for number, line in enumerate(lines, start=1):
            if self.is_full():
                break
            text = line.rstrip("\n")[:MAX_LINE_CHARACTERS]
            if self._expression.occurs_in(text):
                hit = _shortened(text.strip(), MAX_MATCH_CHARACTERS)
                self._found.append(f"{relative}:{number}: {hit}")

    def report(self) -> str:
        lines = self._found[:MAX_MATCHES] or ["[no matches]"]
        if len(self._found) > MAX_MATCHES:
            lines.append(f"[the first {MAX_MATCHES} matches only; narrow the pattern or the path]")
        elif self._deadline.is_over():
            lines.append(self._deadline.note)
        if self._skipped:
            kinds = sorted(set(self._skipped))
            counts = ", ".join(f"{self._skipped.count(kind)} {kind}" for kind in kinds)
            lines.append(f"[files not searched: {counts}]")
        return _joined(lines)


@contextmanager
def _refusal(path: str) -> Iterator[None]:
    """Let the model read why a file cannot be opened."""
    try:
        yield
    except OSError as error:
        msg = f"{path!r} cannot be read: {error.strerror or type(error).__name__}."
        raise ToolException(msg) from None


def _size(stream: BinaryIO) -> int:
    return os.fstat(stream.fileno()).st_size


def _lines(stream: BinaryIO, limit: int) -> Iterable[str] | None:
    """Return the lines of a text file up to a number of bytes, or None for a binary file."""
    data = stream.read(limit)
    if data[:2] in _BYTE_ORDER_MARKS:
        encoding = _BYTE_ORDER_MARKS[data[:2]]
    elif b"\0" in data[:8_192]:
        return None
    else:
        encoding = "utf-8-sig"
    return TextIOWrapper(BytesIO(data), encoding=encoding, errors="replace")


def _numbered(lines: Iterable[str], start: int, count: int) -> str:
    """Show lines with their numbers, as many as there is room for."""
    start = max(start, 1)
    shown: list[str] = []
    rest = size = 0
    for number, line in enumerate(lines, start=1):
        if number < start:
            continue
        if rest or len(shown) == count or size > MAX_CHARACTERS:
            rest += 1
            continue
        text = _shortened(line.rstrip(), MAX_LINE_CHARACTERS)
        shown.append(f"{number:>5}  {text}".rstrip())
        size += len(shown[-1])
    if not shown:
        return "[empty file]" if start == 1 else f"[the file has no line {start}]"
    if rest:
        following = start + len(shown)
        shown.append(f"[{rest:,} more lines; go on with start_line={following}]")
    return "\n".join(shown)


def _joined(lines: list[str]) -> str:
    """Join lines; names alone can be thousands of characters long."""
    text = "\n".join(lines)
    return text if len(text) <= MAX_CHARACTERS else f"{text[:MAX_CHARACTERS]}\n[cut]"


def _shortened(text: str, limit: int) -> str:
    return (
        text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit:,} more characters]"
    )


def _text(name: str) -> str:
    """Return a name as text; on disk it may be any bytes."""
    return name.encode(errors="replace").decode()
