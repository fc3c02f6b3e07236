"""What an endpoint can do, found out by asking it."""

import json
from collections.abc import Callable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.errors import error_line
from langchain_kimi.cli.findings import Finding, Result, no, not_tested
from langchain_kimi.cli.gate import GATE, pass_gate
from langchain_kimi.cli.plain import revealed
from langchain_kimi.cli.probes import PROBES, Subject
from langchain_kimi.errors import KimiError, KimiRateLimitError

NEEDED = (*GATE, "tool call", "streaming")
"""What an agent cannot do without."""

_STYLES = {"yes": "green", "no": "red", "not tested": "dim"}

Progress = Callable[[str], None]


def examine(llm: ChatKimi, *, video: Path | None, progress: Progress) -> list[Finding]:
    """Ask an endpoint for each ability, one request after the other.

    Args:
        llm: The model to ask.
        video: A video to try; without one that is not tested.
        progress: Is told what is being asked.

    Returns:
        A finding for each check, always the same checks in the same order.
    """
    progress("Asking for a first reply …")
    findings, first = pass_gate(llm)
    if first is None:
        reason = f"needs {next(f.name for f in findings if f.outcome != 'yes')!r} first"
        return findings + [Finding(name, not_tested(reason)) for name in PROBES]
    subject = Subject(llm=llm, first=first, video=video)
    for name, probe in PROBES.items():
        progress(f"Asking for {name} …")
        findings.append(Finding(name, _tried(probe, subject)))
    return findings


def is_fit(findings: list[Finding]) -> bool:
    """Say whether the endpoint can run an agent."""
    return all(f.outcome == "yes" for f in findings if f.name in NEEDED)


def as_table(llm: ChatKimi, findings: list[Finding]) -> Table:
    """Set the findings out for people."""
    title = Text(revealed(f"{llm.model} at {llm.base_url}"))
    table = Table(title=title, title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    table.add_column("reason")
    for finding in findings:
        style = _STYLES[finding.outcome]
        table.add_row(finding.name, f"[{style}]{finding.outcome}[/]", finding.plain_reason)
    return table


def as_document(llm: ChatKimi, findings: list[Finding]) -> str:
    """Set the findings out for programs, as JSON."""
    checks = {f.name: {"answer": f.outcome, "reason": f.result.reason} for f in findings}
    document = {
        "model": llm.model,
        "base_url": llm.base_url,
        "fit": is_fit(findings),
        "checks": checks,
    }
    return json.dumps(document)


def _tried(probe: Callable[[Subject], Result], subject: Subject) -> Result:
    try:
        return probe(subject)
    except KimiRateLimitError as error:
        return not_tested(error_line(error))
    except KimiError as error:
        return no(error_line(error))
