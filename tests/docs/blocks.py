"""The code blocks of README and docs, and how each is treated.

A line before a block says it: `<!-- run -->`, `<!-- run: sglang -->` for that dialect of the
scripted endpoint, or `<!-- not run: why -->`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
]
_BLOCK = re.compile(
    r"(?:^[ ]*(?P<mark><!--[^\n]*-->)\n)?^[ ]*```(?P<language>\w*)\n(?P<code>.*?)^[ ]*```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (run|not run)(?:: (.+?))? -->")


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: Path
    line: int
    language: str
    code: str
    mark: str
    """`run`, `not run`, or nothing."""
    said: str
    """The dialect of a block that runs; the reason why one does not."""

    @property
    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        mark = _MARK.fullmatch(match["mark"] or "")
        found.append(
            Block(
                page=page,
                line=text.count("\n", 0, match.start("language")) + 1,
                language=match["language"],
                code=match["code"],
                mark=mark[1] if mark else "",
                said=(mark[2] or "") if mark else "",
            )
        )
    return found


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
