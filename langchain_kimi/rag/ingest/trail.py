"""The headings that are open at a point of a document."""

from __future__ import annotations


class HeadingTrail:
    """The headings that are open at a point of the document."""

    def __init__(self) -> None:
        self._outline: list[tuple[int, str]] = []
        self._stack: list[tuple[int, str]] = []

    def push(self, level: int, title: str, *, outline: bool = False) -> None:
        """Open a heading; those of its level and below it close."""
        if outline:
            self._outline = [entry for entry in self._outline if entry[0] < level]
            self._outline.append((level, title))
            self._stack = []
        else:
            self._stack = [entry for entry in self._stack if entry[0] < level]
            self._stack.append((level, title))

    def path(self) -> tuple[str, ...]:
        """Return the open headings, the outermost first."""
        titles = [title[:160] for _, title in (*self._outline, *self._stack)]
        return tuple(dict.fromkeys(titles))
