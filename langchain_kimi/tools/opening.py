"""Opening what lies below a folder without following a link on the way.

A path that was checked can be another one when it is opened: whoever may write in the folder puts
a link in the place of a file or of a folder above it. So each component is opened by itself, from
the folder that was opened before it, and a link is refused wherever it stands.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_STEPS = os.open in os.supports_dir_fd
"""Whether the system opens from a folder; Windows does not, and asks for a privilege to link."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_FILE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _NO_LINK
_STEP = getattr(os, "O_PATH", 0) | _FOLDER  # a folder on the way need not be readable


@contextmanager
def opened_folder(root: Path, inside: Path) -> Iterator[int | Path]:
    """Open a folder for reading what is in it.

    Args:
        root: The folder to start from.
        inside: The path below it, without `..` and without links.

    Yields:
        The descriptor, or the path where the system cannot open so.

    Raises:
        OSError: When there is no such folder, or a link is on the way.
    """
    if not _STEPS:
        yield root / inside
        return
    with _parent(root, inside / "_") as above:
        descriptor = os.open(".", _FOLDER, dir_fd=above)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def opened_file(root: Path, inside: Path) -> BinaryIO:
    """Open a regular file for reading; see `opened_folder`.

    Raises:
        OSError: When there is no such file, or a link is on the way.
    """
    if not _STEPS:
        return (root / inside).open("rb")
    with _parent(root, inside) as above:
        # Looked at first, since to open a device can do something by itself.
        _require_regular(os.stat(inside.name, dir_fd=above, follow_symlinks=False))
        descriptor = os.open(inside.name, _FILE, dir_fd=above)
    try:
        _require_regular(os.fstat(descriptor))
        return os.fdopen(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


@contextmanager
def _parent(root: Path, inside: Path) -> Iterator[int]:
    """Open the folder that a path stands in."""
    here = os.open(root, _STEP)
    try:
        for name in inside.parts[:-1]:
            above, here = here, os.open(name, _STEP, dir_fd=here)
            os.close(above)
        yield here
    finally:
        os.close(here)


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file, or has just become a link")
