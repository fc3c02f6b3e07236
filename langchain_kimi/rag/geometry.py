"""Boxes in page points, origin at the top left."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Box(NamedTuple):
    """A rectangle in points: 1/72 inch, x to the right, y downwards."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Return the extent to the right."""
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        """Return the extent downwards."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Return the area; a box turned inside out has none."""
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def middle(self) -> tuple[float, float]:
        """Return the centre."""
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def overlap(self, other: Box) -> float:
        """Return the area that both boxes share."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        return max(width, 0.0) * max(height, 0.0)

    def iou(self, other: Box) -> float:
        """Return the shared area as a part of the joint area, 0 to 1."""
        shared = self.overlap(other)
        joint = self.area + other.area - shared
        return shared / joint if joint > 0 else 0.0

    def inside(self, other: Box) -> float:
        """Return the part of this box that lies in the other, 0 to 1."""
        return self.overlap(other) / self.area if self.area > 0 else 0.0

    def grown(self, margin: float) -> Box:
        """Return the box with a margin on all sides."""
        return Box(self.x0 - margin, self.y0 - margin, self.x1 + margin, self.y1 + margin)

    def clipped(self, other: Box) -> Box:
        """Return the part inside the other box."""
        return Box(
            max(self.x0, other.x0),
            max(self.y0, other.y0),
            min(self.x1, other.x1),
            min(self.y1, other.y1),
        )

    def touches(self, other: Box) -> bool:
        """Tell whether the boxes meet, at an edge at least."""
        return (
            self.x0 <= other.x1
            and other.x0 <= self.x1
            and self.y0 <= other.y1
            and other.y0 <= self.y1
        )


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around all of them."""
    x0s, y0s, x1s, y1s = zip(*boxes, strict=True)
    return Box(min(x0s), min(y0s), max(x1s), max(y1s))


def clusters(boxes: list[Box], gap: float) -> list[list[int]]:
    """Group boxes that come within `gap` points of each other, transitively."""
    order = sorted(range(len(boxes)), key=lambda index: boxes[index].x0)
    parent = list(range(len(boxes)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    active: list[int] = []
    for index in order:
        grown = boxes[index].grown(gap)
        active = [other for other in active if boxes[other].x1 >= grown.x0]
        for other in active:
            if grown.touches(boxes[other]):
                parent[root(index)] = root(other)
        active.append(index)
    groups: dict[int, list[int]] = {}
    for index in range(len(boxes)):
        groups.setdefault(root(index), []).append(index)
    return list(groups.values())
