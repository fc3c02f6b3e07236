"""Where a queue lies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from langchain_kimi.workers import Queue, place


def test_an_sqlite_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DBOS itself would fail on the first run with a constraint of its tables."""
    monkeypatch.setattr(place, "_SQLITE", (99, 1))
    with pytest.raises(OSError, match=f"needs SQLite 99.1 .* has {sqlite3.sqlite_version}"):
        Queue(tmp_path)
