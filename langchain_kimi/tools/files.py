"""Read-only file tools within a root folder: list, read, search.

langchain's `FilesystemFileSearchMiddleware` does not serve: its results have no bound, it searches
`.git` and `.venv` unless ripgrep is installed, and it lists by time of change, so the same files
give different answers. Its containment rules are the same as here.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from langchain_core.tools import BaseTool, ToolException, tool

from langchain_kimi.tools.root import Root, glob_pattern

MAX_ENTRIES = 500
MAX_LINES = 400
MAX_LINE_CHARACTERS = 2_000
MAX_READ_BYTES = 50_000_000
MAX_SEARCH_BYTES = 5_000_000
MAX_MATCHES = 100
MAX_MATCH_CHARACTERS = 300

_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def file_tools(root: str | Path) -> list[BaseTool]:
    """Make the tools `list_files`, `read_file` and `search_files` for a folder.

    The tools only read. A path that leaves the folder, also through a symlink, is refused, and
    so are files that usually hold secrets (`.env`, `*.pem`, …). Binary files and what is too
    long are left out with a note that says so.

    Args:
        root: The folder.

    Returns:
        The tools, in this order.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    files = _Files(Root(root))

    @tool(parse_docstring=True)
    def list_files(path: str = ".", pattern: str = "") -> str:
        """List files within the root folder.

        Without a pattern: what is directly in the folder, folders with a slash at the end.
        With a pattern: all files below the folder whose path matches, for example
        `**/*.py` or `*.md`. Folders such as .git, .venv and node_modules are not searched.

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
            pattern: A Python regular expression; start it with (?i) to ignore case.
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
        names = self._entries(folder) if not pattern else self._matching(folder, pattern)
        shown = list(islice(names, MAX_ENTRIES))
        if not shown:
            return "[no files]"
        if next(iter(names), None) is not None:
            shown.append(f"[the first {MAX_ENTRIES} only; narrow the path or the pattern]")
        return "\n".join(shown)

    def _entries(self, folder: Path) -> Iterator[str]:
        entries = sorted(folder.iterdir(), key=lambda entry: (not entry.is_dir(), entry.name))
        for entry in entries:
            yield f"{self.root.relative(entry)}{'/' if entry.is_dir() else ''}"

    def _matching(self, folder: Path, glob: str) -> Iterator[str]:
        regex = _compiled(glob_pattern, glob, "glob")
        for file in self.root.walk(folder):
            if regex.fullmatch(file.relative_to(folder).as_posix()):
                yield self.root.relative(file)

    def read(self, path: str, start_line: int, line_count: int) -> str:
        file = self.root.resolve(path)
        if not file.is_file():
            msg = f"{path!r} is not a file. List it with list_files."
            raise ToolException(msg)
        size = file.stat().st_size
        if size > MAX_READ_BYTES:
            msg = f"{path!r} is too large to read: {size:,} bytes, at most {MAX_READ_BYTES:,}."
            raise ToolException(msg)
        encoding = _encoding(file)
        if encoding is None:
            msg = f"{path!r} is a binary file of {size:,} bytes and is not shown."
            raise ToolException(msg)
        with file.open(encoding=encoding, errors="replace") as lines:
            return _numbered(lines, start_line, max(1, min(line_count, MAX_LINES)))

    def search(self, pattern: str, path: str, include: str) -> str:
        regex = _compiled(re.compile, pattern, "regular expression")
        target = self.root.resolve(path)
        wanted = _compiled(glob_pattern, include, "glob") if include else None
        skipped: list[str] = []
        found: list[str] = []
        for file in [target] if target.is_file() else self.root.walk(target):
            relative = self.root.relative(file)
            if wanted is not None and not wanted.fullmatch(relative):
                continue
            found += [f"{relative}:{hit}" for hit in _hits(file, regex, skipped)]
            if len(found) > MAX_MATCHES:
                break
        return _report(found, skipped)


def _compiled(
    compile_: Callable[[str], re.Pattern[str]], pattern: str, kind: str
) -> re.Pattern[str]:
    try:
        return compile_(pattern)
    except re.error as error:
        msg = f"{pattern!r} is not a valid {kind}: {error}."
        raise ToolException(msg) from None


def _encoding(file: Path) -> str | None:
    """Return the encoding to read a file with, or None for a binary file."""
    with file.open("rb") as stream:
        head = stream.read(8_192)
    if head[:2] in _BYTE_ORDER_MARKS:
        return _BYTE_ORDER_MARKS[head[:2]]
    return None if b"\0" in head else "utf-8-sig"


def _numbered(lines: Any, start: int, count: int) -> str:
    start = max(start, 1)
    shown = [
        f"{number:>5}  {_shortened(line.rstrip(), MAX_LINE_CHARACTERS)}".rstrip()
        for number, line in enumerate(islice(lines, start - 1, start - 1 + count), start=start)
    ]
    rest = sum(1 for _ in lines)
    if not shown:
        return "[empty file]" if start == 1 else f"[the file has no line {start}]"
    if rest:
        following = start + len(shown)
        shown.append(f"[{rest:,} more lines; go on with start_line={following}]")
    return "\n".join(shown)


def _shortened(text: str, limit: int) -> str:
    return (
        text if len(text) <= limit else f"{text[:limit]}… [{len(text) - limit:,} more characters]"
    )


def _hits(file: Path, regex: re.Pattern[str], skipped: list[str]) -> Iterator[str]:
    if file.stat().st_size > MAX_SEARCH_BYTES:
        skipped.append("too large")
        return
    encoding = _encoding(file)
    if encoding is None:
        skipped.append("binary")
        return
    with file.open(encoding=encoding, errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            text = line.rstrip("\n")[:MAX_LINE_CHARACTERS]
            if regex.search(text):
                yield f"{number}: {_shortened(text.strip(), MAX_MATCH_CHARACTERS)}"


def _report(found: list[str], skipped: list[str]) -> str:
    lines = found[:MAX_MATCHES] or ["[no matches]"]
    if len(found) > MAX_MATCHES:
        lines.append(f"[the first {MAX_MATCHES} matches only; narrow the pattern or the path]")
    if skipped:
        kinds = ", ".join(f"{skipped.count(kind)} {kind}" for kind in sorted(set(skipped)))
        lines.append(f"[files not searched: {kinds}]")
    return "\n".join(lines)
