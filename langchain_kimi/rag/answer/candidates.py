"""What may go before the model, pages, pictures, scenes and sections, and what showing it costs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from langchain_kimi.content.cost import PICTURE_OVERHEAD, fitted_size, picture_tokens
from langchain_kimi.content.tokens import estimate_tokens
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord
from langchain_kimi.rag.retrieve.search import Found

Kind = Literal["page", "picture", "scene", "text"]

POINTS_PER_INCH = 72
RESOLUTIONS = (72, 84, 96, 100, 110, 120, 144)
"""Dots per inch of a page: a letter page costs 638 tokens at 72 and 2,508 at 144."""
CROP_DPI = 200
MOST_TEXT = 8_000
"""Tokens of one page's text; of a longer one the beginning is shown."""
HEAD_TOKENS = 24
"""The line that names a source, and the marks around its blocks; a long path costs more."""
FRAME_TIME = 10
"""Tokens of the time that stands before a frame."""

_EDGES = (448, 672, 896, 1280, 1792, 4096)
_FRAME_EDGE = 640
_FRAMES = (1, 2, 4, 8)
_SECONDS_A_FRAME = 2.0
_KNOWN_TEXTS = 50_000
_MARKS = 6
_DEAREST_CHARACTER = 2.5
_LEFT_OUT = "\n[…]"
_FORGED = re.compile(r"\[(S\d+)\]")
_BREAKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a candidate: pictures of a size in pixels."""

    width: int
    height: int
    frames: int = 1
    dpi: float = 0.0
    """Of a PDF page; 0 for pictures and frames."""
    timed: bool = False

    @property
    def tokens(self) -> int:
        """Return what it costs, by MoonViT's rule, the marks and times included."""
        each = picture_tokens(self.width, self.height) + PICTURE_OVERHEAD
        return self.frames * (each + (FRAME_TIME if self.timed else 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A page, picture, scene or section; the order of candidates is their rank."""

    id: str
    """The id of its unit in the index."""
    path: str
    page: int
    kind: Kind
    text_tokens: int
    head_tokens: int = HEAD_TOKENS
    """What naming it costs."""
    size: tuple[float, float] | None = None
    """Points of a page, pixels of a picture or frame."""
    seconds: float = 0.0
    """Length of a scene."""
    crops: tuple[Box, ...] = field(default=())
    """Regions that speak for it, the best first."""

    @property
    def views(self) -> tuple[View, ...]:
        """Return the ways to show it, the cheapest first; none for text."""
        if self.kind == "text" or self.size is None or min(self.size) <= 0:
            return ()
        return ladder(self.kind, *self.size, math.ceil(self.seconds / _SECONDS_A_FRAME))


@lru_cache(maxsize=4_096)
def ladder(kind: Kind, width: float, height: float, frames: int = 1) -> tuple[View, ...]:
    """Return the views of a size, the cheapest first.

    Args:
        kind: What is shown.
        width: In points for a page, else in pixels.
        height: Likewise.
        frames: The most frames of a scene.
    """
    if kind == "page":
        return tuple(page_view(width, height, dpi) for dpi in RESOLUTIONS)
    if kind == "scene":
        wide, high = _within(width, height, _FRAME_EDGE)
        counts = [count for count in _FRAMES if count == 1 or count <= frames]
        return tuple(View(wide, high, count, timed=True) for count in counts)
    sizes = dict.fromkeys(_within(width, height, edge) for edge in _EDGES)
    return tuple(View(*size) for size in sizes)


@lru_cache(maxsize=4_096)
def page_view(width: float, height: float, dpi: float) -> View:
    """Return a page at a resolution, or at the one beyond which MoonViT sees no more."""
    scale = dpi / POINTS_PER_INCH
    across, down = width * scale, height * scale
    fitted = fitted_size(max(1, math.ceil(across)), max(1, math.ceil(down)))
    shrink = min(1.0, fitted[0] / across, fitted[1] / down)
    if shrink < 1.0:
        across, down = across * shrink, down * shrink
    return View(max(1, round(across)), max(1, round(down)), dpi=dpi * shrink)


def crop_view(candidate: Candidate, box: Box) -> View:
    """Return a region at native size: 200 dpi of a page, the pixels of a picture."""
    if candidate.kind == "page":
        return page_view(box.width, box.height, CROP_DPI)
    return View(*fitted_size(max(1, round(box.width)), max(1, round(box.height))))


def _within(width: float, height: float, edge: int) -> tuple[int, int]:
    """Scale a size down so that its longer side is at most `edge`."""
    fitted = fitted_size(max(1, round(width)), max(1, round(height)))
    scale = min(1.0, edge / max(fitted))
    return max(1, round(fitted[0] * scale)), max(1, round(fitted[1] * scale))


def kind_of(document: DocumentRecord) -> Kind:
    """Tell how pages of a document are shown."""
    if document.media_type == "application/pdf":
        return "page"
    family = document.media_type.partition("/")[0]
    return {"image": "picture", "video": "scene"}.get(family, "text")  # type: ignore[return-value]


_tokens_of: dict[tuple[str, int, int], int] = {}


def text_tokens(found: Found) -> int:
    """Return what a page's text costs as it is shown; counted once for each version of a file."""
    key = (found.document.sha256, found.page, len(found.text))
    known = _tokens_of.get(key)
    if known is None:
        if len(_tokens_of) >= _KNOWN_TEXTS:
            _tokens_of.clear()
        known = _tokens_of[key] = estimate_tokens(shown_text(found.text))
    return known


def head_of(found: Found, number: int) -> str:
    """Return the line that names a source."""
    place = _BREAKS.sub(" ", found.place)
    printed = found.label.split()
    if printed and printed != [str(found.page)] and found.start is None:
        place += f" (printed page {', '.join(printed)})"
    return f"[S{number}] {place}"


def shown_text(text: str) -> str:
    """Return the text of a source: no more than it may cost, heads of sources in it defused."""
    shown = _FORGED.sub(r"(\1)", text)
    if len(shown) * _DEAREST_CHARACTER <= MOST_TEXT:
        return shown
    while (tokens := estimate_tokens(shown)) > MOST_TEXT:
        kept = shown.removesuffix(_LEFT_OUT)
        shown = kept[: int(0.99 * len(kept) * MOST_TEXT / tokens)] + _LEFT_OUT
    return shown


def candidate_of(found: Found, crops: Sequence[Box] = ()) -> Candidate:
    """Return what the packer needs to know of a page.

    Args:
        found: The page.
        crops: Regions that speak for it; those that a crop does not show better are left out.
    """
    kind = kind_of(found.document)
    return Candidate(
        id=f"{found.document.id}:{found.page}",
        path=found.document.path,
        page=found.page,
        kind=kind,
        text_tokens=text_tokens(found),
        head_tokens=max(HEAD_TOKENS, estimate_tokens(head_of(found, 9_999)) + _MARKS),
        size=found.page_size,
        seconds=(found.end or 0.0) - (found.start or 0.0),
        crops=tuple(_worth_a_crop(crops, found.page_size)) if kind != "scene" else (),
    )


def _worth_a_crop(boxes: Sequence[Box], size: tuple[float, float] | None) -> list[Box]:
    """Return the regions that are neither tiny nor most of the page."""
    if size is None:
        return []
    area = size[0] * size[1]
    return [box for box in boxes if 0.01 * area < box.area < 0.6 * area]
