"""Git for repositories that are not trusted: no hook runs, and no program that a config names."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from langchain_kimi.coding.errors import CodingError

_OLDEST = (2, 38)
"""The first git with `merge-tree --write-tree`, which merges without a working copy."""

_CONFIG = {
    "commit.gpgSign": "false",
    "core.alternateRefsCommand": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.quotePath": "false",
    "diff.external": "",
    "diff.ignoreSubmodules": "all",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "protocol.allow": "never",
    "safe.directory": "*",
    "submodule.recurse": "false",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "",
    "GIT_ASKPASS": "false",
    "GIT_AUTHOR_EMAIL": "langchain-kimi@localhost",
    "GIT_AUTHOR_NAME": "langchain-kimi",
    "GIT_COMMITTER_EMAIL": "langchain-kimi@localhost",
    "GIT_COMMITTER_NAME": "langchain-kimi",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_EDITOR": "false",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": os.devnull,
    "LC_ALL": "C.UTF-8",
}


@dataclass(frozen=True, kw_only=True)
class Git:
    """Runs git on one git directory.

    The directory is named, never looked for, so that a `.git` which code puts into a working copy
    is not taken for one. Neither the user's config nor the system's is read, and of the caller's
    environment only `PATH` is there.
    """

    directory: Path | None = None
    """The git directory; None lets git look for it from `tree`."""
    tree: Path | None = None
    """The working copy; None for a bare repository."""
    common: Path | None = None
    """The git directory that a worktree's belongs to."""
    config: str | None = None
    """What the config must be: a filter that somebody put there would be run."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str) -> str:
        """Return what a command prints, stripped.

        Raises:
            CodingError: It failed.
        """
        return self.data(*arguments).decode(errors="replace").strip()

    def data(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Return the bytes that a command prints.

        Raises:
            CodingError: It failed.
        """
        done = self.run(*arguments, stdin=stdin)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-2_000:]
            msg = f"git {arguments[0]} failed with exit code {done.returncode}: {said}"
            raise CodingError(msg)
        return done.stdout

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, whatever that is.

        Raises:
            CodingError: Somebody changed the config.
        """
        self._check_config()
        environment = {
            **_ENVIRONMENT,
            "PATH": os.environ.get("PATH", os.defpath),
            **self.environment,
        }
        if self.directory is not None:
            environment["GIT_DIR"] = str(self.directory)
            if self.common is not None:
                environment["GIT_COMMON_DIR"] = str(self.common)
            if self.tree is not None:
                environment["GIT_WORK_TREE"] = str(self.tree)
        settings = [part for pair in _CONFIG.items() for part in ("-c", "=".join(pair))]
        return subprocess.run(  # noqa: S603 no shell
            ["git", *settings, *arguments],  # noqa: S607 git is found on PATH
            cwd=self.tree or self.directory,
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
        )

    def _check_config(self) -> None:
        place = self.common or self.directory
        if place is None or self.config is None:
            return
        if (place / "config").read_bytes() != self.config.encode():
            msg = (
                f"{place / 'config'} was changed by something else than this workspace, so git is "
                "not run there: it could be told to run programs. Look at it; its content was:"
                f"\n{self.config}"
            )
            raise CodingError(msg)


def check_version() -> None:
    """Refuse a git that is too old.

    Raises:
        CodingError: There is no git, or an old one.
    """
    try:
        said = Git(tree=Path("/"))("version")
    except FileNotFoundError:
        said = "none"
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or tuple(map(int, found.groups())) < _OLDEST:
        msg = f"git {'.'.join(map(str, _OLDEST))} or later is needed; found: {said}."
        raise CodingError(msg)
