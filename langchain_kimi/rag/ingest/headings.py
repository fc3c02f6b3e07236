"""Headings, running heads and printed page numbers of a document."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_kimi.rag.ingest.layout import Block, Line
from langchain_kimi.rag.ingest.pages import RawPage

_MARGIN = 0.09
_NUMBER = re.compile(
    r"^[\W_]*(?:page|p\.|slide|seite)?\s*(\d{1,4})(?:\s*(?:of|/|von)\s*\d+)?[\W_]*$", re.IGNORECASE
)
_NUMBERED = re.compile(r"^((\d{1,2}(\.\d{1,2}){0,3}\.?)|([IVX]{1,5}\.)|([A-Z]\.))\s+\S")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Style:
    """What running text looks like in this document."""

    body: float
    levels: tuple[float, ...] = ()
    """Sizes of headings, the largest first."""


def body_style(pages: Sequence[list[Block]]) -> Style:
    """Find the size in which most characters are set, and the heading sizes above it."""
    sizes: Counter[float] = Counter()
    for blocks in pages:
        for block in blocks:
            sizes[round(block.size * 2) / 2] += len(block.text)
    body = sizes.most_common(1)[0][0] if sizes else 10.0
    larger = sorted((size for size in sizes if size >= 1.12 * body), reverse=True)
    return Style(body, tuple(larger))


def heading_level(block: Block, style: Style) -> int | None:
    """Return the level of a heading, 1 for the outermost, or None for other text."""
    text = block.text
    letters = sum(character.isalpha() for character in text)
    if letters < 3 or len(text) > 180 or len(block.lines) > 4 or text.endswith((",", ";")):
        return None
    size = round(block.size * 2) / 2
    if size >= 1.12 * style.body:
        return min(style.levels.index(size) + 1, 8) if size in style.levels else 8
    emphasised = block.bold or (text.isupper() and letters > 4)
    if emphasised and len(block.lines) <= 2 and len(text) <= 120 and not text.endswith("."):
        depth = text.split()[0].count(".") if _NUMBERED.match(text) else 0
        return 9 + min(depth, 2)
    return None


def running_heads(pages: Sequence[RawPage]) -> set[str]:
    """Return the texts that stand in the margin of many pages, digits replaced by `#`."""
    seen: Counter[str] = Counter()
    for page in pages:
        seen.update({furniture_key(line.text) for line in _margin_lines(page)})
    least = max(3, 0.15 * len(pages))
    return {key for key, count in seen.items() if count >= least}


def furniture_key(text: str) -> str:
    """Return a text in lower case with its digits replaced, to compare pages."""
    return _DIGITS.sub("#", text.strip().lower())


def _margin_lines(page: RawPage) -> list[Line]:
    upper, lower = _MARGIN * page.box.y1, (1 - _MARGIN) * page.box.y1
    return [line for line in page.all_lines if line.box.y1 <= upper + 8 or line.box.y0 >= lower - 8]


def printed_numbers(pages: Sequence[RawPage]) -> dict[int, str]:
    """Return the page numbers printed in the margins, for the pages where they run on."""
    found: dict[int, set[int]] = defaultdict(set)
    for page in pages:
        for line in _margin_lines(page):
            match = _NUMBER.match(line.text)
            if match:
                found[page.number].add(int(match.group(1)))
            else:
                edges = (line.words[0].text, line.words[-1].text)
                found[page.number].update(int(edge) for edge in edges if edge.isdigit())
    labels = {}
    for number, values in found.items():
        running = sorted(value for value in values if _runs_on(number, value, found))
        if running:
            labels[number] = " ".join(map(str, running[:2]))
    return labels


def _runs_on(number: int, value: int, found: dict[int, set[int]]) -> bool:
    """Whether neighbours carry the neighbouring numbers: one or two (a spread) a page."""
    votes = 0
    for step in (-2, -1, 1, 2):
        near = found.get(number + step, set())
        votes += (value + step in near) or (value + 2 * step in near)
    return votes >= 2
