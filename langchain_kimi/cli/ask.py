"""The command `ask`: a question to a corpus, answered with links to the pages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from langchain_kimi.cli.errors import one_line_errors
from langchain_kimi.cli.model import Connection
from langchain_kimi.cli.plain import plain
from langchain_kimi.rag import Corpus, Filter, RagError
from langchain_kimi.rag.answer import Answer, Citation, EvidenceBudget, create_multimodal_rag
from langchain_kimi.rag.settings import open_corpus

_STEPS = {
    "understood": "searching",
    "retrieved": "choosing pages",
    "packed": "reading {shown} pages and sections, {pictures} as pictures",
    "checked": "{supported} of {claims} statements borne out",
    "retrying": "searching again",
}
_COLOURS = {"answered": "green", "partly": "yellow", "not_answered": "red"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked, and of what."""

    question: str
    corpus: Path
    namespace: str
    budget: int
    rounds: int
    paths: tuple[str, ...] = ()
    report: Path | None = None
    as_json: bool = False


def ask(request: Request, connection: Connection) -> int:
    """Answer a question and print the answer with its sources.

    Returns:
        The exit code: 1 when the documents do not answer.
    """
    aside = Console(stderr=True)
    with one_line_errors(), connection.open(aside) as llm:
        if not (request.corpus / "index.sqlite").is_file():
            msg = f"there is no index in {request.corpus}: run ingest first"
            raise ValueError(msg)
        corpus = open_corpus(request.corpus, namespace=request.namespace)
        graph = create_multimodal_rag(
            corpus,
            llm,
            budget=EvidenceBudget(tokens=request.budget),
            where=Filter(paths=request.paths),
            rounds=request.rounds,
        )
        try:
            answer = _followed(graph, request.question, aside)
        except RagError as error:
            raise ValueError(str(error)) from error
        if request.report is not None:
            page = answer.to_html(corpus, folder=request.report.parent)
            request.report.write_text(page, "utf-8")
            aside.print(Text(f"report: {request.report}", style="dim"))
        if request.as_json:
            print(json.dumps(answer.model_dump(mode="json")))
        else:
            show_answer(answer, corpus, Console())
    return int(answer.status == "not_answered")


def _followed(graph: Any, question: str, aside: Console) -> Answer:
    """Run the graph and say what it is doing."""
    values: dict[str, Any] = {}
    asked = {"messages": [{"role": "user", "content": question}]}
    with aside.status("understanding the question") as status:
        for mode, part in graph.stream(asked, stream_mode=["custom", "values"]):
            if mode == "values":
                values = part
            elif part["event"] in _STEPS:
                status.update(_STEPS[part["event"]].format(**part["detail"]))
    answer: Answer = values["answer"]
    return answer


def show_answer(answer: Answer, corpus: Corpus, console: Console) -> None:
    """Print an answer, its citations with links, and what was searched."""
    if console.is_terminal:
        console.print(Markdown(plain(answer.text)))
    else:
        console.print(Text(plain(answer.text)), soft_wrap=True)
    sources = {record.path: record.source for record in corpus.documents()}
    for citation in answer.citations:
        console.print(_citation(citation, sources.get(citation.file, "")), soft_wrap=True)
    for claim in answer.claims:
        if claim.confidence in ("low", "none"):
            line = f"{claim.confidence} confidence: {claim.text} ({claim.note})"
            console.print(Text(plain(line), style="yellow"), soft_wrap=True)
    searched = answer.searched
    looked = (
        f"; {searched.shown} of {searched.candidates} candidates shown, "
        f"{searched.shown_as_pictures} as pictures, {searched.evidence_tokens:,} tokens"
    )
    colour = _COLOURS[answer.status]
    console.print(Text.assemble((answer.status.replace("_", " "), colour), (looked, "dim")))


def _citation(citation: Citation, source: str) -> Text:
    """Return a citation as a line; terminals that can open its file at the page."""
    target = ""
    if source:
        target = Path(source).absolute().as_uri() + citation.link[len(citation.file) :]
    line = Text(f"[{citation.number}] ", style="bold")
    line.append(plain(citation.link), style=f"link {target}" if target else "")
    said = f"“{citation.quote}”" if citation.quote else f"seen: {citation.seen}"
    line.append(f"  {plain(said)}", style="dim")
    return line
