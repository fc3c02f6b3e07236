"""The report of a run: what came of it, what is missing, what it cost."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage

from langchain_kimi.swarm.handover import reference, shown
from langchain_kimi.swarm.records import Kind
from langchain_kimi.swarm.session import Session
from langchain_kimi.swarm.state import AgentState, critical_steps
from langchain_kimi.swarm.timeline import timeline_svg


async def finish(
    session: Session, messages: Sequence[AnyMessage], retention: Literal["all", "results"]
) -> dict[str, Any]:
    """Save the report beside the artifacts, drop what is not to be kept; return the state."""
    report = Report(session, messages)
    markdown, picture, log = report.markdown(), timeline_svg(session.state), session.log
    await log.save("report.md", "text/markdown", markdown.encode())
    await log.save("report.html", "text/html", report.html(picture).encode())
    await log.save("timeline.svg", "image/svg+xml", picture.encode())
    if retention == "results":
        ended = [agent.id for agent in session.state.of_task() if agent.finished]
        await log.journal.compact(log.run, [Kind.REPLY, Kind.TOOLS], ended)
        await session.forget_graphs(ended)
    session.events.tell("ended", text=report.status)
    infos = await log.journal.artifacts(log.run)
    return {
        "status": report.status,
        "result": report.result,
        "report": markdown,
        "missing": report.missing,
        "usage": report.usage,
        "artifacts": [asdict(info) for info in infos],
    }


class Report:
    """What is told about a task that has ended."""

    def __init__(self, session: Session, messages: Sequence[AnyMessage]) -> None:
        state = session.state
        self.agents = [agent for agent in state.of_task() if not agent.internal]
        self.counts = session.counts()
        self.missing = _missing(self.agents, session.ledger.reached)
        last = messages[-1] if messages else None
        answered = isinstance(last, AIMessage) and not last.tool_calls
        result = last.text if answered and last is not None else _collected(self.agents)
        self.result = shown(result)
        if session.swarm.cancelled:
            self.status = "cancelled"
        else:
            self.status = "done" if answered and not self.missing else "incomplete"
        busy = sum(span.end - span.start for a in state.of_task() for span in a.spans)
        own = sum(span.end - span.start for span in state.spans)
        self.usage: dict[str, Any] = {
            "steps": self.counts["steps"],
            "critical_steps": critical_steps(state),
            "subagents": session.ledger.subagents,
            "input_tokens": session.ledger.used.input_tokens,
            "output_tokens": session.ledger.used.output_tokens,
            "cached_tokens": session.ledger.used.cached_tokens,
            "money": session.ledger.used.money,
            "seconds": self.counts["seconds"],
            "serial_seconds": busy + own,
            "speed_up": (busy + own) / max(self.counts["seconds"], 1e-9),
            "rate_limited": session.limiter.throttles,
        }

    def markdown(self) -> str:
        """Return the report in Markdown."""
        usage = self.usage
        lines = [
            f"# Report: {self.status}",
            "",
            self.result,
            "",
            "## What is missing" if self.missing else "Nothing is missing.",
            *(f"- {_cell(item)}" for item in self.missing),
            "",
            "## What it took",
            *(f"- {name}: {value}" for name, value in _told(usage)),
            "",
            "## Sub-agents",
            "| sub-agent | work | status | steps | tokens | money | seconds | result |",
            "|---|---|---|---|---|---|---|---|",
            *(f"| {' | '.join(_cell(value) for value in _row(agent))} |" for agent in self.agents),
        ]
        return "\n".join(lines) + "\n"

    def html(self, picture: str) -> str:
        """Return the report as one HTML page with the timeline in it."""
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(value)}</td>" for value in _row(agent)) + "</tr>"
            for agent in self.agents
        )
        told = "".join(
            f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>"
            for name, value in _told(self.usage)
        )
        missing = "".join(f"<li>{html.escape(item)}</li>" for item in self.missing)
        heads = "".join(f"<th>{head}</th>" for head in _HEADS)
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            f"<title>Report: {self.status}</title><style>{_STYLE}</style>"
            f"<h1>Report: {self.status}</h1><pre>{html.escape(self.result)}</pre>"
            f"<h2>What is missing</h2><ul>{missing or '<li>Nothing.</li>'}</ul>"
            f"<h2>What it took</h2><table>{told}</table><h2>Timeline</h2>{picture}"
            f"<h2>Sub-agents</h2><table><tr>{heads}</tr>{rows}</table></html>"
        )


_MOST_MISSING = 200
_HEADS = ("sub-agent", "work", "status", "steps", "tokens", "money", "seconds", "result")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border-bottom:1px solid #ddd;padding:.2rem .6rem;"
    "text-align:left;vertical-align:top}pre{white-space:pre-wrap;background:#f6f6f6;padding:1rem}"
    "@media(prefers-color-scheme:dark){body{background:#111;color:#eee}pre{background:#222}"
    "td,th{border-color:#444}}"
)


def _missing(agents: Sequence[AgentState], reached: dict[str, str]) -> list[str]:
    limits = [f"The run reached {reason}." for reason in reached.values()]
    left = [agent for agent in agents if agent.status != "done"]
    told = [
        shown(f"{agent.label} ({agent.id}): {agent.status}, {agent.reason}")
        for agent in left[:_MOST_MISSING]
    ]
    more = len(left) - len(told)
    return limits + told + ([f"{more} more sub-agents; the report lists all."] if more else [])


def _collected(agents: Sequence[AgentState]) -> str:
    had = [agent for agent in agents if agent.result or agent.data is not None]
    if not had:
        return "The run ended before there was a result."
    listed = "\n".join(f"- {agent.label}: {reference(agent)}" for agent in had)
    return f"The run ended before a final answer. What the sub-agents had:\n{listed}"


def _told(usage: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("sub-agents", f"{usage['subagents']}"),
        ("steps", f"{usage['steps']}, {usage['critical_steps']} of them one after the other"),
        (
            "tokens",
            (
                f"{usage['input_tokens']:,} in ({usage['cached_tokens']:,} cached), "
                f"{usage['output_tokens']:,} out"
            ),
        ),
        ("money", f"{usage['money']:.4f}"),
        ("time", f"{usage['seconds']:.1f} s, {usage['serial_seconds']:.1f} s if done serially"),
        ("speed-up", f"{usage['speed_up']:.1f}x"),
        ("times the server said to slow down", f"{usage['rate_limited']}"),
    ]


def _row(agent: AgentState) -> list[str]:
    ended = agent.ended or agent.started
    return [
        agent.id,
        shown(agent.label),
        shown(agent.status + (f": {agent.reason}" if agent.reason else "")),
        str(agent.usage.steps),
        f"{agent.usage.tokens:,}",
        f"{agent.usage.money:.4f}",
        f"{max(0.0, ended - agent.started):.1f}",
        reference(agent) if agent.result or agent.data is not None else "",
    ]


def _cell(text: str) -> str:
    """Keep words of a model from becoming a table, a link or markup."""
    words = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\|\[\]`*])", r"\\\1", words)
