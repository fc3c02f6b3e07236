"""What commands are started through, so that they end together and reach no more than they need."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

TOOLS = ("setpriv", "prlimit")
_DIE_WITH_PARENT = ["setpriv", "--pdeathsig=KILL"]
_PROCESSES = ["unshare", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
_MOUNTS = ["unshare", "--user", "--map-root-user", "--mount"]


def is_root() -> bool:
    """Say whether this process is root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def starter(read_only: Sequence[Path], writable: Sequence[Path]) -> list[str]:
    """Return what a command is started through.

    Args:
        read_only: Folders that the command cannot write to, where user namespaces hold it.
        writable: Folders within those that it can write to.
    """
    return _namespaces(read_only, writable) if has_namespaces() else _DIE_WITH_PARENT


def _namespaces(read_only: Sequence[Path], writable: Sequence[Path]) -> list[str]:
    """Return how namespaces are entered.

    As root, one of processes, for the command gets a user of its own. Otherwise a user namespace
    too, with mounts that keep folders from being written, and within it one that has the caller's
    id and can change no mount.
    """
    if is_root():
        return [*_DIE_WITH_PARENT, *_PROCESSES]
    back = ["unshare", "--user", f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]
    return [
        *[*_MOUNTS, "/bin/sh", "-c", _mounts(read_only, writable), "sh"],
        *[*_DIE_WITH_PARENT, *_PROCESSES],
        *[*back, *_DIE_WITH_PARENT],  # again: entering a user namespace forgets the signal
    ]


def _mounts(read_only: Sequence[Path], writable: Sequence[Path]) -> str:
    outer_first = sorted(read_only, key=lambda one: len(one.parts))
    bound = [*outer_first, *writable]
    return "\n".join(
        [
            "set -e",
            *(f"mount --rbind {_quoted(one)} {_quoted(one)}" for one in bound),
            *(f"mount -o remount,bind,ro {_quoted(one)}" for one in outer_first),
            'cd "$PWD"',  # on the new mounts: from the old one, ".." leads to what can be written
            'exec "$@"',
        ]
    )


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


@cache
def has_namespaces() -> bool:
    """Say whether `starter` can use namespaces here: containers often forbid them."""
    if not sys.platform.startswith("linux") or not all(map(shutil.which, (*TOOLS, "unshare"))):
        return False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tried = [*_namespaces([folder], []), "true"]
        done = subprocess.run(tried, check=False, capture_output=True, cwd=folder)  # noqa: S603 a fixed command
    return done.returncode == 0
