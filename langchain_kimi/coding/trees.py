"""Folders as commands leave them: of any depth, with names of any kind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from langchain_kimi.coding.errors import CodingError

_DEEPEST = 200


def entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all that is below a folder; links are not followed.

    Raises:
        CodingError: Folders are nested deeper than git and Python go.
    """
    left = [(str(folder), 0)]
    while left:
        place, depth = left.pop()
        if depth > _DEEPEST:
            msg = f"Folders are nested more than {_DEEPEST} deep in the working copy. Remove them."
            raise CodingError(msg)
        with os.scandir(place) as found:
            for one in found:
                yield one
                if one.is_dir(follow_symlinks=False):
                    left.append((one.path, depth + 1))


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep; nothing when it is not there.

    Raises:
        CodingError: Something of it cannot be removed.
    """
    done = subprocess.run(  # noqa: S603 a fixed command
        ["rm", "-rf", "--", str(folder)],  # noqa: S607 rm is found on PATH
        check=False,
        capture_output=True,
    )
    if done.returncode != 0:
        msg = f"{folder.name!r} cannot be removed: {done.stderr.decode(errors='replace')[-500:]}"
        raise CodingError(msg)
