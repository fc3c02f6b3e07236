"""Folders that commands filled, as deep and as closed as they liked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from langchain_kimi.coding.errors import CodingError

_DEEPEST, _LONGEST = 200, 3_000
"""Folders below each other, and bytes of a path, of which Linux takes 4,096."""


def entries(folder: Path) -> Iterator[Path]:
    """Walk over all that is below a folder. Links are not followed.

    Raises:
        CodingError: It is too deep.
    """
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        if depth > _DEEPEST or len(os.fsencode(place)) > _LONGEST:
            top = place.relative_to(folder).parts[0]
            msg = f"{top} holds folders more than {_DEEPEST} deep. Remove them first."
            raise CodingError(msg)
        try:
            found = list(os.scandir(place))
        except PermissionError:
            continue  # git names it when it cannot read it either
        for one in found:
            yield Path(one)
            if one.is_dir(follow_symlinks=False):
                waiting.append((Path(one), depth + 1))


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it: by `rm`, which no depth stops.

    Raises:
        CodingError: Something is left.
    """
    said = ""
    for command in (["rm", "-rf"], ["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        if not os.path.lexists(folder):
            return
        done = subprocess.run(  # noqa: S603 a fixed command
            [*command, "--", str(folder)], check=False, capture_output=True
        )
        said = done.stderr.decode(errors="replace").strip()
    if os.path.lexists(folder):
        msg = f"{folder} cannot be removed: {said[-500:]}"
        raise CodingError(msg)
