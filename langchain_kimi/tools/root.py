"""A folder that tools work in and do not leave."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from langchain_core.tools import ToolException

SKIPPED_FOLDERS = frozenset(
    {
        ".git", ".hg", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".svn", ".tox",
        ".venv", "__pycache__", "node_modules", "venv",
    }
)  # fmt: skip

_SECRETS = (".env", ".env.*", ".netrc", "*.pem", "*.key", "id_rsa", "id_ecdsa", "id_ed25519")
_NOT_SECRET = (".env.example", ".env.sample", ".env.template")


class Root:
    """A folder and the rule that no path leads out of it, not by `..` and not by a symlink."""

    def __init__(self, path: str | Path) -> None:
        """Resolve the folder.

        Raises:
            NotADirectoryError: When there is no folder at the path.
        """
        self.path = Path(path).resolve()
        if not self.path.is_dir():
            msg = f"root={str(path)!r} is not a folder. Give an existing folder."
            raise NotADirectoryError(msg)

    def resolve(self, path: str) -> Path:
        """Return the real path, or refuse one that lies outside, does not exist or is secret."""
        try:
            real = (self.path / path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            msg = f"There is no {path!r}. Paths are relative to the root; list_files shows them."
            raise ToolException(msg) from None
        if not real.is_relative_to(self.path):
            msg = f"{path!r} lies outside the root folder and is not read."
            raise ToolException(msg)
        if is_secret(real):
            msg = f"{path!r} is a file for secrets (keys, passwords) and is not read."
            raise ToolException(msg)
        return real

    def relative(self, path: Path) -> str:
        """Return a path as the model sees it."""
        return path.relative_to(self.path).as_posix()

    def walk(self, folder: Path) -> Iterator[Path]:
        """Yield the regular files below a folder in a stable order, without skipped folders."""
        for parent, folders, files in os.walk(folder, followlinks=False):
            folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
            for name in sorted(files):
                path = Path(parent, name)
                if self._is_readable(path):
                    yield path

    def _is_readable(self, path: Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            return False
        return real.is_file() and real.is_relative_to(self.path) and not is_secret(real)


def is_secret(path: Path) -> bool:
    """Say whether a file's name is one that holds keys or passwords."""
    if path.name in _NOT_SECRET:
        return False
    return any(fnmatch(path.name, pattern) for pattern in _SECRETS)


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob for paths relative to a folder.

    `*` and `?` stay within a name, `**/` crosses folders, `{a,b}` are alternatives; a glob without
    a slash is for the name at any depth.
    """
    glob = glob.removeprefix("./")
    if "/" not in glob:
        glob = f"**/{glob}"
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\{[^{}]*\}|\[[^\]/]*\])", glob)
    return re.compile("".join(_translated(part) for part in parts))


def _translated(part: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in known:
        return known[part]
    if part.startswith("{") and part.endswith("}"):
        return "(?:" + "|".join(re.escape(option) for option in part[1:-1].split(",")) + ")"
    if part.startswith("[") and part.endswith("]") and len(part) > 2:
        return "[" + part[1:-1].replace("\\", "\\\\").replace("!", "^", 1) + "]"
    return re.escape(part)
