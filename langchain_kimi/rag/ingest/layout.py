"""From words to lines, from lines to blocks, and the order to read them in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from langchain_kimi.rag.geometry import Box, union
from langchain_kimi.rag.ingest.words import Word


@dataclass(frozen=True)
class Line:
    """Words that stand side by side with no more than a word's space between."""

    words: tuple[Word, ...]
    box: Box

    @property
    def text(self) -> str:
        """Return the text."""
        return " ".join(word.text for word in self.words)

    @property
    def size(self) -> float:
        """Return the typical font size in points."""
        return median(word.size for word in self.words)

    @property
    def bold(self) -> bool:
        """Tell whether it is set in bold."""
        return sum(word.bold for word in self.words) * 2 > len(self.words)


@dataclass(frozen=True)
class Block:
    """Lines that belong together: a paragraph, a heading, a list."""

    lines: tuple[Line, ...]
    box: Box

    @property
    def text(self) -> str:
        """Return the text."""
        return join_lines([line.text for line in self.lines])

    @property
    def size(self) -> float:
        """Return the typical font size in points."""
        return median(line.size for line in self.lines)

    @property
    def bold(self) -> bool:
        """Tell whether it is set in bold."""
        return all(line.bold for line in self.lines)


def join_lines(lines: Sequence[str]) -> str:
    """Join lines of running text; a word broken with a hyphen becomes whole again."""
    text = ""
    for line in lines:
        if text.endswith("-") and text[-2:-1].isalpha() and line[:1].islower():
            text = text[:-1] + line
        else:
            text = f"{text} {line}" if text else line
    return text


def find_lines(words: Sequence[Word]) -> list[Line]:
    """Group words in content order; a wide gap begins a new line (a column or a cell)."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and _continues(groups[-1][-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    return [Line(tuple(group), union(word.box for word in group)) for group in groups]


def _continues(last: Word, word: Word) -> bool:
    size = max(min(last.size, word.size), 1.0)
    gap = word.box.x0 - last.box.x1
    shared = min(last.box.y1, word.box.y1) - max(last.box.y0, word.box.y0)
    low = min(last.box.height, word.box.height)
    level = shared >= 0.4 * low or abs(last.box.y1 - word.box.y1) < 0.35 * size
    return level and -0.5 * size <= gap <= 1.1 * size


def find_blocks(lines: Sequence[Line]) -> list[Block]:
    """Group lines that stand under each other at the pitch of running text."""
    parent = list(range(len(lines)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    order = sorted(range(len(lines)), key=lambda index: lines[index].box.y0)
    for position, upper in enumerate(order):
        for lower in order[position + 1 :]:
            if lines[lower].box.y0 > lines[upper].box.y1 + 2.0 * lines[upper].size:
                break
            if _same_block(lines[upper], lines[lower]):
                parent[root(lower)] = root(upper)
    groups: dict[int, list[Line]] = {}
    for index in order:
        groups.setdefault(root(index), []).append(lines[index])
    return [Block(tuple(group), union(line.box for line in group)) for group in groups.values()]


def _same_block(upper: Line, lower: Line) -> bool:
    small, large = sorted((max(upper.size, 1.0), max(lower.size, 1.0)))
    if large > 1.25 * small or upper.bold != lower.bold:
        return False
    gap = lower.box.y0 - upper.box.y1
    shared = min(upper.box.x1, lower.box.x1) - max(upper.box.x0, lower.box.x0)
    narrow = min(upper.box.width, lower.box.width)
    return -0.5 * small <= gap <= 0.85 * small and shared >= 0.5 * narrow


def reading_order(boxes: Sequence[Box]) -> list[int]:
    """Return indexes in the order to read: columns whole, each from top to bottom."""
    return _cut(list(range(len(boxes))), boxes, 0)


def _cut(indexes: list[int], boxes: Sequence[Box], depth: int) -> list[int]:
    if len(indexes) < 2 or depth > 40:
        return sorted(indexes, key=lambda index: (boxes[index].y0, boxes[index].x0))
    columns = _gaps(indexes, boxes, axis=0, least=8.0)
    if len(columns) > 1:
        groups = columns
    else:
        groups = _gaps(indexes, boxes, axis=1, least=1.0)
        if len(groups) == 1:
            return sorted(indexes, key=lambda index: (boxes[index].y0, boxes[index].x0))
        groups = _widest_split(groups, boxes)
    return [index for group in groups for index in _cut(group, boxes, depth + 1)]


def _gaps(indexes: list[int], boxes: Sequence[Box], *, axis: int, least: float) -> list[list[int]]:
    order = sorted(indexes, key=lambda index: boxes[index][axis])
    groups = [[order[0]]]
    end = boxes[order[0]][axis + 2]
    for index in order[1:]:
        if boxes[index][axis] - end >= least:
            groups.append([])
        groups[-1].append(index)
        end = max(end, boxes[index][axis + 2])
    return groups


def _widest_split(groups: list[list[int]], boxes: Sequence[Box]) -> list[list[int]]:
    """Cut once, at the widest horizontal gap, so that columns below it can show."""
    best, widest = 1, -1.0
    for position in range(1, len(groups)):
        above = max(boxes[index].y1 for index in groups[position - 1])
        gap = min(boxes[index].y0 for index in groups[position]) - above
        if gap > widest:
            best, widest = position, gap
    upper = [index for group in groups[:best] for index in group]
    lower = [index for group in groups[best:] for index in group]
    return [upper, lower]
