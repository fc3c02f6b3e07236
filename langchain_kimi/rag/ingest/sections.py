"""Text, Markdown and HTML to parts: sections with the headings above them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

from langchain_kimi.rag.errors import FileTooLargeError
from langchain_kimi.rag.ingest.parsed import Parsed, Part, Region
from langchain_kimi.rag.ingest.trail import HeadingTrail

MAX_BYTES = 64 * 1024 * 1024
_PART_CHARACTERS = 3_000
_LONGEST_PIECE = 6_000
_ATX = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_CELL_RULE = re.compile(r"^\s*\|?\s*:?-{3,}")
_SKIPPED = {"script", "style", "noscript", "template", "svg", "head"}
_BREAKS = {"p", "div", "li", "br", "section", "article", "blockquote", "pre", "dd", "dt", "tr"}


@dataclass(frozen=True)
class Piece:
    """A heading (level 1 to 6), or text or a table (level 0)."""

    text: str
    level: int = 0
    table: bool = False


def read_text(path: Path) -> str:
    """Read a text file as UTF-8, or UTF-16 with a mark, or Windows-1252.

    Raises:
        FileTooLargeError: If it is over the limit.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        msg = f"{path.name} has {size} bytes of text, {MAX_BYTES} are allowed: split it"
        raise FileTooLargeError(msg)
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def parse_plain(path: Path) -> Parsed:
    """Parse a plain text file: its paragraphs."""
    paragraphs = re.split(r"\n\s*\n", read_text(path))
    pieces = [Piece(text.strip()) for text in paragraphs if text.strip()]
    return Parsed(media_type="text/plain", parts=tuple(to_parts(pieces)))


def parse_markdown(path: Path) -> Parsed:
    """Parse a Markdown file by its headings; code fences stay whole."""
    pieces = list(markdown_pieces(read_text(path)))
    return Parsed(
        media_type="text/markdown", parts=tuple(to_parts(pieces)), title=_first_heading(pieces)
    )


def parse_html(path: Path) -> Parsed:
    """Parse an HTML file."""
    title, pieces = html_pieces(read_text(path))
    return Parsed(
        media_type="text/html",
        parts=tuple(to_parts(pieces)),
        title=title or _first_heading(pieces),
    )


def _first_heading(pieces: Sequence[Piece]) -> str:
    return next((piece.text for piece in pieces if piece.level), "")


def markdown_pieces(text: str) -> Iterator[Piece]:
    """Cut Markdown into headings, paragraphs, tables and fenced blocks."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            lines.append(line)
            if mark and mark.group(1).startswith(fence):
                fence = ""
            continue
        heading = _ATX.match(line)
        if mark:
            fence = mark.group(1)
            lines.append(line)
        elif heading or not line.strip():
            yield from _paragraph(lines)
            lines = []
            if heading and heading.group(2):
                yield Piece(heading.group(2), len(heading.group(1)))
        else:
            lines.append(line)
    yield from _paragraph(lines)


def _paragraph(lines: Sequence[str]) -> Iterator[Piece]:
    if lines:
        table = len(lines) > 1 and "|" in lines[0] and bool(_CELL_RULE.match(lines[1]))
        yield Piece("\n".join(lines), table=table)


def html_pieces(text: str) -> tuple[str, list[Piece]]:
    """Return the title of an HTML page and its headings, texts and tables."""
    parser = _Reader()
    parser.feed(text)
    parser.close()
    parser.flush()
    return " ".join(parser.title.split()), parser.pieces


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.pieces: list[Piece] = []
        self._text: list[str] = []
        self._skipped = 0
        self._in_title = False
        self._rows: list[list[str]] | None = None
        self._cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "title":
            self._in_title = True
        elif tag in _SKIPPED:
            self._skipped += 1
        elif tag == "table":
            self.flush()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._end_cell()
            self._rows.append([])
        elif tag in ("td", "th") and self._rows is not None:
            self._end_cell()
            self._cell = True
        elif self._rows is None and (tag in _BREAKS or re.fullmatch(r"h[1-6]", tag)):
            self.flush()
        if tag == "img":
            self._text.append(f" {dict(attrs).get('alt') or ''} ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False
        elif tag in _SKIPPED:
            self._skipped = max(self._skipped - 1, 0)
        elif tag == "table":
            self._end_table()
        elif tag in ("td", "th", "tr") and self._rows is not None:
            self._end_cell()
        elif self._rows is None and re.fullmatch(r"h[1-6]", tag):
            self.flush(int(tag[1]))
        elif self._rows is None and tag in _BREAKS:
            self.flush()

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data
        elif not self._skipped:
            self._text.append(data)

    def flush(self, level: int = 0) -> None:
        text = self._take()
        if text:
            self.pieces.append(Piece(text, level))

    def _take(self) -> str:
        text = " ".join("".join(self._text).split())
        self._text.clear()
        return text

    def _end_cell(self) -> None:
        if self._cell and self._rows is not None:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(self._take().replace("|", "\\|"))
        self._cell = False

    def _end_table(self) -> None:
        self._end_cell()
        rows = [row for row in self._rows or [] if any(row)]
        self._rows = None
        if not rows:
            return
        width = max(len(row) for row in rows)
        lines = ["| " + " | ".join(row + [""] * (width - len(row))) + " |" for row in rows]
        lines.insert(1, "|" + " --- |" * width)
        self.pieces.append(Piece("\n".join(lines), table=True))


def to_parts(pieces: Sequence[Piece]) -> Iterator[Part]:
    """Gather pieces to parts; a heading of level 1 or 2 begins a new one."""
    trail = HeadingTrail()
    regions: list[Region] = []
    number, length = 1, 0
    for piece in _cut(pieces):
        full = length + len(piece.text) > _PART_CHARACTERS
        if regions and (full or (1 <= piece.level <= 2 and length > 200)):
            yield _part(number, regions)
            regions, length, number = [], 0, number + 1
        if piece.level:
            trail.push(piece.level, piece.text)
        kind = "table" if piece.table else "heading" if piece.level else "text"
        regions.append(Region(kind=kind, text=piece.text, headings=trail.path()))  # type: ignore[arg-type]
        length += len(piece.text)
    if regions:
        yield _part(number, regions)


def _cut(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Cut what is too long for one part, such as a log, between its lines; a table keeps its head.

    Of a part that is too long for a model, only the beginning would be read.
    """
    for piece in pieces:
        if piece.level or len(piece.text) <= _LONGEST_PIECE:
            yield piece
            continue
        lines = piece.text.split("\n")
        head: list[str] = []
        if piece.table:
            ruled = len(lines) > 1 and _CELL_RULE.match(lines[1])
            head = lines[: 2 if ruled else 1]
        yield from (
            Piece("\n".join([*head, *some]), table=piece.table)
            for some in _gathered(lines[len(head) :])
        )


def _gathered(lines: Sequence[str]) -> Iterator[list[str]]:
    """Gather lines up to the length of a part; a line that is longer is cut between its words."""
    held: list[str] = []
    length = 0
    for line in chain.from_iterable(map(_wrapped, lines)):
        if held and length + len(line) > _PART_CHARACTERS:
            yield held
            held, length = [], 0
        held.append(line)
        length += len(line) + 1
    if held:
        yield held


def _wrapped(line: str) -> Iterator[str]:
    """Cut a line that is longer than a part, where it can be between words."""
    while len(line) > _LONGEST_PIECE:
        at = line.rfind(" ", 1, _PART_CHARACTERS)
        at = at if at > 0 else _PART_CHARACTERS
        yield line[:at]
        line = line[at:].lstrip()
    yield line


def _part(number: int, regions: Sequence[Region]) -> Part:
    return Part(
        number=number,
        text="\n".join(region.text for region in regions),
        regions=tuple(regions),
    )
