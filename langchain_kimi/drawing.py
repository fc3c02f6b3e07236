"""A compiled graph as a picture, drawn here: no browser, no service, nothing to install."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, NamedTuple

_ROW, _BOX, _LANE, _EDGE = 58, 34, 26, 20
_LETTER = 7.6
_INK, _FILL, _END = "#33475b", "#e8f1f8", "#f1f1f1"
_HEAD = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
    f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{_INK}"/></marker></defs>'
)


class _Edge(NamedTuple):
    """From one row to another; dashed when a condition decides."""

    start: int
    end: int
    conditional: bool


def graph_svg(graph: Any) -> str:
    """Draw a graph as SVG: nodes from top to bottom, ways ahead on the right, back on the left.

    Dashed lines are taken when a condition says so.

    Args:
        graph: A compiled graph, or what its `get_graph()` returns.

    Returns:
        The picture, for a file or for `IPython.display.SVG`.
    """
    drawn = graph.get_graph() if hasattr(graph, "get_graph") else graph
    names = _in_order(drawn)
    rows = {name: row for row, name in enumerate(names)}
    edges = [_Edge(rows[e.source], rows[e.target], e.conditional) for e in drawn.edges]
    ahead = _lanes(edge for edge in edges if edge.end > edge.start + 1)
    back = _lanes(edge for edge in edges if edge.end <= edge.start)
    box = max(_LETTER * len(_shown(name)) for name in names) + 32
    left = _EDGE + _LANE * (max(back.values(), default=-1) + 1)
    width = left + box + _LANE * (max(ahead.values(), default=-1) + 1) + _EDGE
    height = _ROW * len(names) + 12
    lines = [_straight(edge, left + box / 2) for edge in edges if edge.end == edge.start + 1]
    lines += [_around(edge, left + box, _LANE * (lane + 1)) for edge, lane in ahead.items()]
    lines += [_around(edge, left, -_LANE * (lane + 1)) for edge, lane in back.items()]
    boxes = [_node(name, row, left, box) for name, row in rows.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
        f'width="{width:.0f}" height="{height}" font-family="sans-serif" font-size="13" role="img">'
        f'<rect width="100%" height="100%" fill="#fff"/>{_HEAD}{"".join(lines)}{"".join(boxes)}'
        "</svg>\n"
    )


def _in_order(drawn: Any) -> list[str]:
    """Order the nodes so that most ways lead down: a walk in depth, last finished first."""
    ways: dict[str, list[str]] = {name: [] for name in drawn.nodes}
    for edge in drawn.edges:
        ways[edge.source].append(edge.target)
    depth = _depths(ways)
    done: list[str] = []
    seen: set[str] = set()

    def walk(name: str) -> None:
        seen.add(name)
        for target in sorted(ways[name], key=lambda one: (depth.get(one, 0), one), reverse=True):
            if target not in seen:
                walk(target)
        done.append(name)

    for name in drawn.nodes:
        if name not in seen:
            walk(name)
    done.reverse()
    ends = [name for name in done if not ways[name]]
    return [name for name in done if ways[name]] + ends


def _depths(ways: dict[str, list[str]]) -> dict[str, int]:
    """Return how many steps each node is from the start."""
    start = next(iter(ways))
    found, queue = {start: 0}, [start]
    for name in queue:
        for target in ways[name]:
            if target not in found:
                found[target] = found[name] + 1
                queue.append(target)
    return found


def _lanes(edges: Iterable[_Edge]) -> dict[_Edge, int]:
    """Give each line a lane of its own where lines overlap; short ones stay inside."""
    taken: list[list[tuple[int, int]]] = []
    lanes: dict[_Edge, int] = {}
    for edge in sorted(edges, key=lambda one: (abs(one.end - one.start), one)):
        span = (min(edge[:2]), max(edge[:2]))
        lane = next((n for n, spans in enumerate(taken) if _free(span, spans)), len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append(span)
        lanes[edge] = lane
    return lanes


def _free(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    return all(span[1] < low or span[0] > high for low, high in spans)


def _middle(row: int) -> float:
    return 6 + _ROW * row + _BOX / 2


def _straight(edge: _Edge, x: float) -> str:
    top, bottom = _middle(edge.start) + _BOX / 2, _middle(edge.end) - _BOX / 2
    return _path(f"M{x:.1f} {top:.1f}V{bottom - 1:.1f}", edge)


def _around(edge: _Edge, x: float, out: float) -> str:
    """Draw a line that leaves a box at its side, a little below its middle, and enters above."""
    start, end, far = _middle(edge.start) + 6, _middle(edge.end) - 6, x + out
    bend = min(8.0, abs(out)) * (1 if out > 0 else -1)
    turn = 8 if end > start else -8
    return _path(
        f"M{x:.1f} {start:.1f}H{far - bend:.1f}Q{far:.1f} {start:.1f} {far:.1f} {start + turn:.1f}"
        f"V{end - turn:.1f}Q{far:.1f} {end:.1f} {far - bend:.1f} {end:.1f}"
        f"H{x + (1 if out > 0 else -1):.1f}",
        edge,
    )


def _path(way: str, edge: _Edge) -> str:
    dashes = ' stroke-dasharray="5 4"' if edge.conditional else ""
    return (
        f'<path d="{way}" fill="none" stroke="{_INK}" stroke-width="1.4"{dashes} '
        'marker-end="url(#tip)"/>'
    )


def _node(name: str, row: int, left: float, width: float) -> str:
    is_end = name in ("__start__", "__end__")
    y, fill, round_ = _middle(row), _END if is_end else _FILL, _BOX / 2 if is_end else 6
    return (
        f'<rect x="{left:.1f}" y="{y - _BOX / 2:.1f}" width="{width:.1f}" height="{_BOX}" '
        f'rx="{round_:g}" fill="{fill}" stroke="{_INK}"/>'
        f'<text x="{left + width / 2:.1f}" y="{y + 4.5:.1f}" text-anchor="middle" '
        f'fill="{_INK}">{escape(_shown(name))}</text>'
    )


def _shown(name: str) -> str:
    return name.strip("_") if name in ("__start__", "__end__") else name
