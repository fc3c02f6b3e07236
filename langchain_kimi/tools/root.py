"""A folder that tools work in and do not leave."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from langchain_core.tools import ToolException

from langchain_kimi.tools.opening import opened_file, opened_folder
from langchain_kimi.tools.secrets import Secrets

SKIPPED_FOLDERS = frozenset(
    {
        ".eggs", ".git", ".hg", ".hypothesis", ".ipynb_checkpoints", ".langgraph_api",
        ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox", ".venv",
        "__pycache__", "node_modules", "venv",
    }
)  # fmt: skip
"""Folders of tools, which are neither listed nor searched unless they are named."""


class Entry(NamedTuple):
    """What stands in a folder: its path, and the real one when that is a link."""

    path: Path
    real: Path
    is_folder: bool


class Root:
    """A folder and the rule that no path leads out of it, not by `..` and not by a symlink."""

    def __init__(self, path: str | Path, secrets: Secrets | None = None) -> None:
        """Resolve the folder.

        Args:
            path: The folder.
            secrets: The files that are neither read nor shown.

        Raises:
            NotADirectoryError: When there is no folder at the path.
        """
        self.path = existing_folder(path)
        self.secrets = secrets or Secrets()

    def resolve(self, path: str) -> Path:
        """Return the real path, or refuse one that lies outside, does not exist or is secret."""
        asked = self.path / path
        try:
            real = asked.resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            msg = (
                f"There is no {_quoted(path)}. Paths are relative to the root; list_files shows "
                "them."
            )
            raise ToolException(msg) from None
        if below(real, self.path) is None:
            msg = f"{_quoted(path)} lies outside the root folder and is not read."
            raise ToolException(msg)
        if self._is_secret(asked) or self._is_secret(real):
            msg = f"{_quoted(path)} usually holds secrets (keys, passwords) and is not read."
            raise ToolException(msg)
        return real

    def open(self, real: Path) -> BinaryIO:
        """Open a regular file by the real path that `resolve` or an entry gave.

        Raises:
            OSError: When it cannot be opened, or a link has taken its place since.
        """
        return opened_file(self.path, self._inside(real))

    def relative(self, path: Path) -> str:
        """Return a path as the model sees it, on one line and always text."""
        text = os.fsencode(self._inside(path)).decode(errors="replace")
        return "".join(char if char.isprintable() else "\ufffd" for char in text)

    def entries(self, folder: Path) -> list[Entry]:
        """Return what a folder has to show, sorted: folders, then regular files.

        Left out are skipped folders, secrets, what links out of the root, and what is neither
        a folder nor a regular file. A folder that cannot be read has nothing to show.
        """
        try:
            with (
                opened_folder(self.path, self._inside(folder)) as descriptor,
                os.scandir(descriptor) as found,
            ):
                entries = [entry for one in found if (entry := self._entry(folder, one))]
        except OSError:
            return []
        return sorted(entries, key=lambda entry: (not entry.is_folder, entry.path.name))

    def walk(self, folder: Path) -> Iterator[Entry]:
        """Yield the files below a folder in a stable order; links to folders are not followed."""
        waiting = [folder]
        while waiting:
            entries = self.entries(waiting.pop())
            yield from (entry for entry in entries if not entry.is_folder)
            below = [entry for entry in entries if entry.is_folder]
            waiting += [entry.path for entry in reversed(below) if entry.path == entry.real]

    def _entry(self, folder: Path, found: "os.DirEntry[str]") -> Entry | None:
        path = folder / found.name
        try:
            is_folder, is_file = found.is_dir(), found.is_file()
            real = path.resolve(strict=True) if found.is_symlink() else path
        except (OSError, RuntimeError):
            return None
        if not (is_folder or is_file) or (is_folder and found.name in SKIPPED_FOLDERS):
            return None
        if below(real, self.path) is None or self._is_secret(path) or self._is_secret(real):
            return None
        return Entry(path, real, is_folder)

    def _inside(self, path: Path) -> Path:
        inside = below(path, self.path)
        if inside is None:
            msg = f"{str(path)!r} lies outside the root folder {str(self.path)!r}"
            raise ValueError(msg)
        return inside

    def _is_secret(self, path: Path) -> bool:
        """Say whether a path is in the table of secrets; outside the root, its name counts."""
        normal = Path(os.path.normpath(path))
        return self.secrets.cover(below(normal, self.path) or Path(normal.name))


def existing_folder(root: str | Path) -> Path:
    """Return the real path of a folder that tools are to work in.

    Raises:
        NotADirectoryError: When there is no such folder.
    """
    folder = Path(root).resolve()
    if not folder.is_dir():
        msg = f"root={str(root)!r} is not a folder. Give an existing folder."
        raise NotADirectoryError(msg)
    return folder


def below(path: Path, folder: Path) -> Path | None:
    """Return a path as it is below a folder, None when it lies elsewhere.

    In linear time: from Python 3.12 on, `Path.is_relative_to` and `relative_to` build every parent.
    """
    depth = len(folder.parts)
    return Path(*path.parts[depth:]) if path.parts[:depth] == folder.parts else None


def _quoted(path: str) -> str:
    return repr(path if len(path) <= 200 else f"{path[:200]}…")
