"""What tests of commands need."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def runs() -> Callable[[int], bool]:
    """Say whether a process runs on; a killed one may wait for its parent as a zombie."""

    def runs(pid: int) -> bool:
        for _ in range(100):
            status = Path(f"/proc/{pid}/stat")
            if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
                return False
            time.sleep(0.05)
        return True

    return runs
