"""A live picture of a swarm: in a terminal with rich, in a notebook as HTML."""

from __future__ import annotations

import html
from collections import deque

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from langchain_kimi.swarm.events import Counts, SwarmEvent
from langchain_kimi.swarm.handover import shown

_MOST_ROWS = 12
_BAR, _WIDE = 24, 100
_NONE: Counts = {
    "total": 0,
    "waiting": 0,
    "running": 0,
    "done": 0,
    "failed": 0,
    "steps": 0,
    "critical_steps": 0,
    "tokens": 0,
    "money": 0.0,
    "rate": 0.0,
    "seconds": 0.0,
}


class Progress:
    """Follows the progress stream. Show it with `rich.live.Live`, or as a notebook's last value.

    Example:
        progress = Progress()
        with Live(progress):
            async for event in agent.astream(task, config, stream_mode="custom"):
                progress.update(event)
    """

    def __init__(self) -> None:
        self.counts: Counts = _NONE.copy()
        self._running: dict[str, SwarmEvent] = {}
        self._ended: deque[SwarmEvent] = deque(maxlen=_MOST_ROWS)
        self._began: dict[str, float] = {}
        self._first = self._latest = 0.0

    def update(self, event: SwarmEvent) -> None:
        """Take one event in; others than a swarm's are passed over."""
        if event.get("type") != "swarm":
            return
        self.counts = event.get("counts", self.counts)
        self._first = self._first or event["at"]
        self._latest = max(self._latest, event["at"])
        agent = event["agent"]
        if not agent:
            return
        if event["event"] in ("started", "step"):
            self._began.setdefault(agent, event["at"])
        if event["event"] == "ended":
            self._running.pop(agent, None)
            self._ended.append(event)
        elif event["event"] in ("started", "step"):
            self._running[agent] = event
        elif event["event"] == "requeued":
            self._running.pop(agent, None)

    def headline(self) -> str:
        """Return the counts in a line."""
        c = self.counts
        return (
            f"{c['done']} done, {c['running']} running, {c['waiting']} queued, "
            f"{c['failed']} failed of {c['total']} | {c['steps']} steps "
            f"({c['critical_steps']} critical), {c['rate']:.1f}/s | {c['tokens']:,} tokens"
            + (f", {c['money']:.2f}" if c["money"] else "")
            + f" | {c['seconds']:.0f} s"
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        c = self.counts
        ended = c["done"] + c["failed"]
        bar = Table.grid()
        bar.add_row(
            ProgressBar(total=max(1, c["total"]), completed=ended, width=min(60, options.max_width))
        )
        yield bar
        yield Text(self.headline())
        table = Table.grid(padding=(0, 2))
        for event in self._shown():
            when = [self._bar(event)] if options.max_width >= _WIDE else []
            table.add_row(*map(Text, [*self._cells(event), *when]))
        yield table
        left = len(self._running) - _MOST_ROWS
        if left > 0:
            yield Text(f"… and {left} more at work")

    def _repr_html_(self) -> str:
        c = self.counts
        rows = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in self._cells(event))
            + f"<td><code>{self._bar(event).replace(' ', '&nbsp;')}</code></td></tr>"
            for event in self._shown()
        )
        ended = c["done"] + c["failed"]
        return (
            f'<div><progress max="{max(1, c["total"])}" value="{ended}"></progress> '
            f"{html.escape(self.headline())}<table>{rows}</table></div>"
        )

    def _shown(self) -> list[SwarmEvent]:
        """Return the latest that are at work, and as many that ended as there is room for."""
        at_work = list(self._running.values())[-_MOST_ROWS:]
        ended = list(self._ended)[-max(4, _MOST_ROWS - len(at_work)) :]
        return at_work + ended

    def _bar(self, event: SwarmEvent) -> str:
        """Draw when a sub-agent was at work, of the time that was seen so far."""
        whole = max(self._latest - self._first, 1e-9)
        end = event["at"] if event["event"] == "ended" else self._latest
        start = self._began.get(event["agent"], end)
        left = min(_BAR - 1, int(_BAR * (start - self._first) / whole))
        right = max(left + 1, round(_BAR * (end - self._first) / whole))
        return " " * left + "━" * (right - left) + " " * (_BAR - right)

    def _cells(self, event: SwarmEvent) -> tuple[str, ...]:
        steps = event.get("steps", 0)
        cells = (
            event.get("label", event["agent"])[:40],
            event.get("status", ""),
            f"{steps} step{'' if steps == 1 else 's'}",
            (event.get("reason") or event.get("text", ""))[:60],
        )
        return tuple(shown(cell) for cell in cells)
