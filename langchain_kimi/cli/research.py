"""Investigate a folder of documents: `langchain-kimi research FOLDER "question"`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from langchain_kimi.agents import is_stand_in
from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.ask import show_answer
from langchain_kimi.cli.plain import plain
from langchain_kimi.cli.work import Work, run_job
from langchain_kimi.rag import Corpus, FileReport, IngestOptions
from langchain_kimi.research import Findings, create_research_agent, merge, research_report
from langchain_kimi.research.report import cost

REPORT = "research.html"
_WORKERS = 2


def research(documents: Path, job: Work, llm: ChatKimi, console: Console) -> int:
    """Ingest the documents, investigate the question, write the report. 1 when parts are missing.

    The same question in the same folder goes on where it was.
    """
    place = job.folder / job.thread
    findings = Findings(place / "findings")
    if job.again:
        findings.forget()
    corpus = Corpus(job.folder / "corpus")
    try:
        ingest(corpus, documents, console)
        make = partial(create_research_agent, corpus, llm, findings=findings)
        found = asyncio.run(run_job(job, make, console, _refuse))
        answer = merge(job.task, found["result"], findings.all())
        page = research_report(
            answer,
            corpus,
            usage=found["usage"],
            timeline=_timeline(place),
            price=job.price,
            model="a stand-in that is no model" if is_stand_in(llm) else llm.model,
            missing=found["missing"],
            folder=place,
        )
        report = _write(place, page)
        show_answer(answer, corpus, console)
    finally:
        corpus.close()
    for item in found["missing"]:
        console.print(f"missing: {plain(item)}", markup=False)
    used = found["usage"]
    console.print(
        f"{used['subagents']} sub-agents, {used['steps']} steps, {used['seconds']:.1f} s, "
        f"{used['speed_up']:.1f}x as fast as serially; {used['input_tokens']:,} tokens in, "
        f"{used['output_tokens']:,} out",
        soft_wrap=True,
    )
    told = cost(used, job.price)
    hint = "" if job.price else " (--price INPUT,OUTPUT or KIMI_PRICE_INPUT, KIMI_PRICE_OUTPUT)"
    console.print(f"cost: {told}{hint}", markup=False, soft_wrap=True)
    for name, file in (("timeline", place / "timeline.svg"), ("report", report)):
        console.print(_openable(name, file), soft_wrap=True)
    return 0 if found["status"] == "done" else 1


def ingest(corpus: Corpus, documents: Path, console: Console) -> None:
    """Bring the corpus up to date with the folder and say what failed.

    Raises:
        ValueError: Nothing in the folder could be read.
    """
    with console.status("reading the documents") as status:
        report = corpus.ingest(
            documents, options=IngestOptions(workers=_WORKERS), progress=_telling(status.update)
        )
    console.print(report.summary(), markup=False)
    for entry in report.files:
        if entry.state in ("failed", "empty"):
            console.print(f"  {entry.state}: {entry.path}: {plain(entry.reason)}", markup=False)
    if not corpus.documents():
        msg = f"no document in {documents} could be read: PDF, pictures, videos, Markdown, HTML …"
        raise ValueError(msg)


def _telling(update: Callable[[str], None]) -> Callable[[FileReport, int, int], None]:
    def progress(entry: FileReport, done: int, total: int) -> None:
        update(f"reading the documents: {done} of {total}, {plain(entry.path)}")

    return progress


def _refuse(_action: dict[str, Any]) -> bool:
    """Researchers only read; nothing that asks is given to them."""
    return False


def _openable(name: str, file: Path) -> Text:
    """Return a line with a file's address, which terminals open on a click."""
    address = file.absolute().as_uri()
    return Text.assemble(f"{name}: ", (address, f"link {address}"))


def _timeline(place: Path) -> str:
    timeline = place / "timeline.svg"
    return timeline.read_text("utf-8") if timeline.is_file() else ""


def _write(place: Path, page: str) -> Path:
    report = place / REPORT
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(page, "utf-8")
    return report
