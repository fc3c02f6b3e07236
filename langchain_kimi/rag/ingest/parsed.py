"""What a parser hands on: a document of pages or scenes, each with regions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from langchain_kimi.rag.geometry import Box

RegionKind = Literal["text", "heading", "table", "figure", "caption"]
Origin = Literal["layer", "ocr"]


@dataclass(frozen=True, kw_only=True)
class Region:
    """A part of a page that can be cited by itself."""

    kind: RegionKind
    text: str
    """Text in reading order; a table's text is its Markdown."""
    box: Box | None = None
    caption: str = ""
    headings: tuple[str, ...] = ()
    """The headings above the region, the outermost first."""
    origin: Origin = "layer"


@dataclass(frozen=True, kw_only=True)
class Part:
    """A page, slide, section or scene."""

    number: int
    """Counted from 1."""
    text: str
    label: str = ""
    """The number printed on the page, when it has one."""
    size: tuple[float, float] | None = None
    """Width and height in points (pages) or pixels (scenes)."""
    regions: tuple[Region, ...] = ()
    boxes: tuple[Box, ...] = ()
    """Further candidate boxes without text of their own: groups of regions."""
    start: float | None = None
    end: float | None = None
    """Time span in seconds, for scenes."""
    photo: bool = False
    """Whether a photograph covers a visible part of it."""
    notes: tuple[str, ...] = ()
    """What could not be read, one line each."""


@dataclass(frozen=True, kw_only=True)
class Parsed:
    """A parsed file."""

    media_type: str
    parts: tuple[Part, ...]
    title: str = ""
    date: str = ""
    """ISO date, when the file tells one."""
    notes: tuple[str, ...] = field(default=())

    def counts(self) -> dict[str, int]:
        """Count what was parsed, to hold it against what the index holds."""
        return {
            "parts": len(self.parts),
            "regions": sum(len(part.regions) for part in self.parts),
            "characters": sum(len(part.text) for part in self.parts),
        }
