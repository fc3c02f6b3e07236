"""Tables: rows and columns found from aligned cells and ruling lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langchain_kimi.rag.geometry import Box, union
from langchain_kimi.rag.ingest.layout import Line


@dataclass(frozen=True)
class Table:
    """Rows of cells with the box around them."""

    rows: tuple[tuple[str, ...], ...]
    box: Box

    @property
    def markdown(self) -> str:
        """The table as Markdown, its first row as the head."""
        lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in self.rows]
        lines.insert(1, "|" + " --- |" * len(self.rows[0]))
        return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").strip()


@dataclass(frozen=True)
class _Row:
    lines: tuple[Line, ...]
    box: Box


def find_tables(lines: Sequence[Line], paths: Sequence[Box]) -> list[Table]:
    """Return the tables of a page: at least three rows of which most have several cells."""
    rows = _rows(lines)
    tables = []
    for run in _runs(rows, _rules(paths)):
        table = _table(run)
        if table is not None:
            tables.append(table)
    return tables


def _rows(lines: Sequence[Line]) -> list[_Row]:
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box.middle[1]):
        middle = line.box.middle[1]
        if rows and _level(rows[-1], middle):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [
        _Row(
            tuple(sorted(row, key=lambda line: line.box.x0)),
            union(line.box for line in row),
        )
        for row in rows
    ]


def _level(row: Sequence[Line], middle: float) -> bool:
    last = row[-1]
    return abs(last.box.middle[1] - middle) < 0.4 * max(last.size, 4.0)


def _rules(paths: Sequence[Box]) -> list[Box]:
    return [path for path in paths if path.height <= 2.0 and path.width >= 20.0]


def _runs(rows: Sequence[_Row], rules: Sequence[Box]) -> list[list[_Row]]:
    """Cut the page into runs of rows that may be one table."""
    runs: list[list[_Row]] = [[]]
    for row in rows:
        run = runs[-1]
        if run and not _joins(run, row, rules):
            runs.append([])
        runs[-1].append(row)
    trimmed = [_trim(run) for run in runs]
    return [run for run in trimmed if len(run) >= 3]


def _joins(run: Sequence[_Row], row: _Row, rules: Sequence[Box]) -> bool:
    size = max(row.lines[0].size, 6.0)
    gap = row.box.y0 - run[-1].box.y1
    ruled = any(run[-1].box.y1 - 1 <= rule.y0 <= row.box.y0 + 1 for rule in rules)
    if gap > (4.0 if ruled else 2.2) * size:
        return False
    if len(row.lines) >= 2:
        return True
    # One cell alone: a label or a wrapped cell, unless it is a line of running text.
    width = max(member.box.x1 for member in run) - min(member.box.x0 for member in run)
    single = len(run[-1].lines) == 1
    return not (single and row.box.width > 0.6 * max(width, 1.0) and not ruled)


def _trim(run: list[_Row]) -> list[_Row]:
    start, end = 0, len(run)
    while start < end and len(run[start].lines) < 2:
        start += 1
    while end > start and len(run[end - 1].lines) < 2:
        end -= 1
    return run[start:end]


def _table(run: Sequence[_Row]) -> Table | None:
    several = [row for row in run if len(row.lines) >= 2]
    if len(several) < 3 or len(several) * 2 < len(run):
        return None
    columns = _columns(run)
    if len(columns) < 2 or _prose(run):
        return None
    cells = [_fill(row, columns) for row in run]
    filled = sum(bool(cell) for row in cells for cell in row)
    if filled < 0.35 * len(cells) * len(columns):
        return None
    rows = tuple(tuple(row) for row in _merge_wrapped(cells))
    return Table(rows, union(row.box for row in run))


def _prose(run: Sequence[_Row]) -> bool:
    """Whether the cells are lines of a text in columns, not of a table."""
    long = sum(len(line.words) >= 7 for row in run for line in row.lines)
    return long * 2 > sum(len(row.lines) for row in run)


def _columns(run: Sequence[_Row]) -> list[tuple[float, float]]:
    """Merge the spans of the cells; rows with one wide cell do not decide."""
    spans = sorted(
        (line.box.x0, line.box.x1) for row in run if len(row.lines) >= 2 for line in row.lines
    )
    if not spans:
        return []
    typical = sorted(end - start for start, end in spans)[len(spans) // 2]
    columns: list[list[float]] = []
    for start, end in spans:
        if end - start > max(4 * typical, 200.0):
            continue
        if columns and start <= columns[-1][1] + 1.0:
            columns[-1][1] = max(columns[-1][1], end)
        else:
            columns.append([start, end])
    return [(start, end) for start, end in columns]


def _fill(row: _Row, columns: Sequence[tuple[float, float]]) -> list[str]:
    cells = [""] * len(columns)
    for line in row.lines:
        middle = line.box.middle[0]
        best = min(
            range(len(columns)),
            key=lambda index: _distance(middle, line.box, columns[index]),
        )
        cells[best] = f"{cells[best]} {line.text}".strip()
    return cells


def _distance(middle: float, box: Box, column: tuple[float, float]) -> float:
    shared = min(box.x1, column[1]) - max(box.x0, column[0])
    return -shared if shared > 0 else abs(middle - sum(column) / 2)


def _merge_wrapped(cells: Sequence[list[str]]) -> list[list[str]]:
    """Join a row to the one above when it only goes on with the text of its cells."""
    rows: list[list[str]] = []
    for row in cells:
        wrapped = (
            rows
            and not row[0]
            and all(
                not cell or (above and cell[:1].islower())
                for cell, above in zip(row, rows[-1], strict=True)
            )
        )
        if wrapped:
            rows[-1] = [f"{a} {b}".strip() for a, b in zip(rows[-1], row, strict=True)]
        else:
            rows.append(list(row))
    return rows
