"""What a database must do to hold a journal. Every method is called from one thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class JournalError(Exception):
    """The journal cannot write or read. Work stops, for it would not be durable."""


class JournalTakenError(JournalError):
    """Another process has taken the run over; this one may write nothing more for it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record as the database sees it."""

    run: int
    epoch: int
    seq: int
    kind: int
    agent: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Blob:
    """One artifact as the database sees it."""

    run: int
    epoch: int
    name: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write for a run: the number, the writer's epoch, the next free place."""

    run: int
    epoch: int
    next_seq: int


@dataclass(frozen=True, slots=True)
class RunInfo:
    """A run in the journal. `updated` is in seconds since 1970."""

    name: str
    records: int
    size: int
    updated: float


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """An artifact without its content."""

    name: str
    media_type: str
    size: int


class Backend(Protocol):
    """A database for the journal.

    A failure that may pass (a lock, a lost connection) is tried again inside; what does not
    pass is raised as `JournalError`. Writing the same rows twice leaves them there once.
    """

    def claim(self, run: str, now: float) -> Claim:
        """Make this process the only writer of a run."""

    def write(self, rows: Sequence[Row], blobs: Sequence[Blob], now: float) -> None:
        """Write everything in one transaction and make it safe on disk."""

    def read(self, run: str) -> Iterable[tuple[int, str, bytes]]:
        """Return (kind, agent, body) of a run's records in their order."""

    def blobs(self, run: str) -> list[BlobInfo]:
        """List a run's artifacts."""

    def blob(self, run: str, name: str) -> tuple[str, bytes] | None:
        """Return an artifact's media type and content."""

    def drop_records(self, run: str, kinds: Sequence[int], agents: Sequence[str]) -> None:
        """Forget the records of these kinds of these agents."""

    def delete(self, run: str) -> None:
        """Forget a run altogether."""

    def runs(self) -> list[RunInfo]:
        """List the runs, the latest first."""

    def vacuum(self) -> None:
        """Give the room of what was forgotten back to the disk."""

    def close(self) -> None:
        """Let go of the database."""
