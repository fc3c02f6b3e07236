"""The timeline picture: each sub-agent a bar, model and tool time apart, critical path marked."""

from __future__ import annotations

import math
from html import escape

from langchain_kimi.swarm.handover import shown
from langchain_kimi.swarm.state import AgentState, RunState, Span

_WIDTH, _LEFT, _ROW, _TOP = 1100, 330, 20, 40
_COLOURS = {"model": "#4c78a8", "tools": "#f2a541"}
_PATH = "#d62728"
_MOST_ROWS, _MOST_MARKS = 400, 10
_LONGEST_LABEL = 48


def critical_path(state: RunState) -> list[AgentState]:
    """Return, turn by turn, the sub-agents that the end of the task waited for.

    From the one that ended last in a turn back through the latest of what it needed.
    """
    path: list[AgentState] = []
    agents = state.of_task()
    for turn in sorted({agent.turn for agent in agents}):
        ran = [a for a in agents if a.turn == turn and a.ended and a.spans]
        chain: list[AgentState] = []
        last = max(ran, key=lambda a: a.ended, default=None)
        while last is not None:
            chain.append(last)
            needs = [state.agents[n] for n in last.needs if n in state.agents]
            last = max((n for n in needs if n.spans), key=lambda a: a.ended, default=None)
        path.extend(reversed(chain))
    return path


def timeline_svg(state: RunState) -> str:
    """Draw the task's sub-agents over time."""
    agents = sorted((a for a in state.of_task() if a.spans), key=lambda a: a.started)
    left_out = max(0, len(agents) - _MOST_ROWS)
    on_path = {agent.id for agent in critical_path(state)}
    shown = [a for i, a in enumerate(agents) if i < _MOST_ROWS or a.id in on_path]
    start = state.started or min((a.started for a in agents), default=0.0)
    ends = [span.end for a in agents for span in a.spans] + [s.end for s in state.spans]
    length = max([*ends, start + 1e-3]) - start
    scale = (_WIDTH - _LEFT - 20) / length
    rows = [_bar("orchestrator", state.spans, 0, start, scale, marked=True)]
    rows += [
        _bar(agent.label, agent.spans, place, start, scale, marked=agent.id in on_path)
        for place, agent in enumerate(shown, 1)
    ]
    height = _TOP + _ROW * (len(rows) + 1) + 20
    note = f" ({left_out} more sub-agents are not drawn)" if left_out else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="sans-serif" font-size="12" role="img">'
        f"<title>Timeline of {len(agents)} sub-agents over {length:.1f} s{note}</title>"
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>{_legend(note)}'
        f"{_axis(length, scale, height)}{''.join(rows)}</svg>"
    )


def _bar(
    label: str, spans: list[Span], place: int, start: float, scale: float, *, marked: bool
) -> str:
    y = _TOP + place * _ROW
    colour = _PATH if marked else "#333"
    name = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1].rstrip()}…"
    parts = [
        (
            f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end" fill="{colour}">'
            f"{escape(shown(name))}</text>"
        )
    ]
    parts += [
        f'<rect x="{_LEFT + (span.start - start) * scale:.1f}" y="{y + 3}" height="{_ROW - 6}" '
        f'width="{max(0.5, (span.end - span.start) * scale):.1f}" fill="{_COLOURS[span.what]}"/>'
        for span in _visible(spans, scale)
    ]
    if marked and spans:
        x = _LEFT + (spans[0].start - start) * scale
        width = max(1.0, (spans[-1].end - spans[0].start) * scale)
        parts.append(
            f'<rect x="{x:.1f}" y="{y + 1.5}" width="{width:.1f}" height="{_ROW - 3}" fill="none" '
            f'stroke="{_PATH}"/>'
        )
    return "".join(parts)


def _visible(spans: list[Span], scale: float) -> list[Span]:
    """Join stretches that are too narrow to be told apart on the picture."""
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last is not None and (span.end - last.start) * scale < 1.0:
            found[-1] = Span(last.what, last.start, span.end)
        else:
            found.append(span)
    return found


def _legend(note: str) -> str:
    items = (("model", _COLOURS["model"]), ("tools", _COLOURS["tools"]), ("critical path", _PATH))
    parts = [
        f'<rect x="{_LEFT + 110 * place}" y="6" width="10" height="10" fill="{colour}"/>'
        f'<text x="{_LEFT + 110 * place + 14}" y="15">{name}</text>'
        for place, (name, colour) in enumerate(items)
    ]
    return "".join(parts) + f'<text x="{_LEFT + 340}" y="15">{escape(note)}</text>'


def _axis(length: float, scale: float, height: int) -> str:
    step = 10 ** math.floor(math.log10(length))
    step *= next(part for part in (0.1, 0.2, 0.5, 1) if length / (step * part) <= _MOST_MARKS)
    return "".join(
        f'<line x1="{x:.1f}" y1="{_TOP - 4}" x2="{x:.1f}" y2="{height - 14}" stroke="#eee"/>'
        f'<text x="{x:.1f}" y="{height - 4}" text-anchor="middle" fill="#666">{mark:.4g} s</text>'
        for mark in (step * part for part in range(math.floor(length / step) + 1))
        for x in (_LEFT + mark * scale,)
    )
