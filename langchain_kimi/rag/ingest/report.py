"""What an ingest did, file by file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

FileState = Literal["added", "changed", "unchanged", "removed", "empty", "failed"]


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What became of a file."""

    path: str
    state: FileState
    reason: str = ""
    """Why it failed, or why nothing was found in it."""
    pages: int = 0
    notes: tuple[str, ...] = ()


@dataclass(kw_only=True)
class IngestReport:
    """What became of a folder."""

    files: list[FileReport] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, state: FileState) -> int:
        """Count the files in a state."""
        return sum(file.state == state for file in self.files)

    @property
    def pages(self) -> int:
        """Pages and scenes that were parsed."""
        return sum(file.pages for file in self.files if file.state in ("added", "changed"))

    @property
    def failures(self) -> list[FileReport]:
        """Files that are not in the index as they should be."""
        return [file for file in self.files if file.state in ("failed", "empty")]

    def summary(self) -> str:
        """Return one line."""
        states: tuple[FileState, ...] = (
            "added", "changed", "unchanged", "removed", "empty", "failed"
        )  # fmt: skip
        counts = ", ".join(f"{self.count(s)} {s}" for s in states if self.count(s))
        rate = self.pages / self.seconds if self.seconds > 0 else 0.0
        return f"{counts or 'no files'}; {self.pages} pages in {self.seconds:.1f} s ({rate:.1f}/s)"
