"""What an index holds: documents, and the units that are searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from langchain_kimi.rag.geometry import Box

Level = Literal["document", "page", "chunk"]
UnitKind = Literal["document", "page", "scene", "text", "table", "figure", "enrichment"]


@dataclass(frozen=True, kw_only=True)
class DocumentRecord:
    """A file in the index."""

    id: str
    """Stable for a path within its namespace."""
    path: str
    """Relative to the folder it came from, with forward slashes."""
    sha256: str
    source: str = ""
    """Where the file was when it was ingested."""
    media_type: str
    size: int
    modified_ns: int
    title: str = ""
    date: str = ""
    tags: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was parsed: parts, regions, characters, units."""
    notes: tuple[str, ...] = ()
    settings: str = ""
    """Fingerprint of the parser and its settings: another one makes the file stale."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A page, scene or region with the fields that are searched.

    `head`, `body` and `refs` are analysed tokens joined by spaces; `text` is what is shown.
    """

    id: str
    document_id: str
    level: Level
    kind: UnitKind
    page: int
    """Counted from 1; 0 for the document itself."""
    text: str
    head: str = ""
    body: str = ""
    refs: str = ""
    """Tokens for page numbers, captions and kinds of content, such as `label:17`."""
    label: str = ""
    caption: str = ""
    headings: tuple[str, ...] = ()
    box: Box | None = None
    page_size: tuple[float, float] | None = None
    start: float | None = None
    end: float | None = None
    origin: str = "layer"


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions that a unit meets; empty fields ask for nothing."""

    documents: tuple[str, ...] = ()
    """Document ids."""
    ids: tuple[str, ...] = ()
    """Unit ids."""
    paths: tuple[str, ...] = ()
    """Glob patterns of paths, such as `reports/*.pdf`."""
    media_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    """At least one of these tags."""
    pages: tuple[int, int] | None = None
    """First and last page, both included."""
    kinds: tuple[UnitKind, ...] = ()
    after: str = ""
    """ISO date: documents of this date or later."""
    before: str = ""
    """ISO date: documents before this date."""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A unit that was found; a higher score is a better match."""

    unit: Unit
    score: float


@dataclass(frozen=True, kw_only=True)
class IndexStats:
    """What a namespace of an index holds."""

    documents: int
    units: int
    pages: int
    vectors: int
