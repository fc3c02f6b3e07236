"""One workspace at a time in a folder."""

from __future__ import annotations

import fcntl
import os
import weakref
from pathlib import Path

from langchain_kimi.coding.errors import CodingError


class FolderLock:
    """A lock that is free when it is released, collected, or when its process has ended.

    Args:
        folder: What is locked.

    Raises:
        CodingError: Another workspace has it, in this process or another.
    """

    def __init__(self, folder: Path) -> None:
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.release = weakref.finalize(self, os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            msg = (
                f"Another workspace, here or in another process, works in {folder}. Close it "
                "first, or give this one a folder= of its own."
            )
            raise CodingError(msg) from None
