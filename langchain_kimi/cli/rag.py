"""Commands of a corpus: `ingest`, `search` and `ask`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from langchain_kimi.cli import options
from langchain_kimi.cli.options import EndpointChoice

if TYPE_CHECKING:
    from langchain_kimi.rag import Corpus, FileReport, Found, IngestOptions, IngestReport

Index = Annotated[Path, typer.Option("--index", help="Folder of the index.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Tenant whose documents are meant.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_DEFAULT = Path(".kimi-corpus")


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(ingest)
    app.command()(search)
    app.command()(ask)


def ingest(
    folder: Annotated[Path, typer.Argument(help="Folder or file to ingest.")],
    index: Index = _DEFAULT,
    namespace: Namespace = "default",
    workers: Annotated[int, typer.Option(min=0, help="Processes that parse files.")] = 2,
    ocr: Annotated[str, typer.Option(help="auto, tesseract, rapidocr or none.")] = "auto",
    tag: Annotated[list[str] | None, typer.Option(help="Tag of the documents; repeatable.")] = None,
    keep_missing: Annotated[
        bool, typer.Option(help="Keep documents whose files are gone.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the index up to date with a folder of documents, pictures and videos."""
    _need_extra()
    from langchain_kimi.rag import IngestOptions, RagError
    from langchain_kimi.rag.settings import open_corpus

    console = Console(stderr=True)
    options = IngestOptions(workers=workers, tags=tuple(tag or ()), keep_missing=keep_missing)
    try:
        corpus = open_corpus(index, namespace=namespace, ocr=ocr)
        report = _run(corpus, folder, options, console)
    except (RagError, ValueError, FileNotFoundError) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps(asdict(report)))
    else:
        typer.echo(report.summary())
        for entry in report.files:
            for line in filter(None, [entry.reason, *entry.notes]):
                typer.echo(f"  {entry.state}: {entry.path}: {line}")
    if any(entry.state == "failed" for entry in report.files):
        raise typer.Exit(1)


def _need_extra() -> None:
    """Say how to get what retrieval needs, where it is not installed."""
    try:
        import langchain_kimi.rag  # noqa: F401
    except ImportError as error:
        line = f"{error}: retrieval needs the extra: pip install 'langchain-kimi-nvidia[rag]'"
        Console(stderr=True).print(line, markup=False, soft_wrap=True)
        raise typer.Exit(2) from error


def _run(corpus: Corpus, folder: Path, options: IngestOptions, console: Console) -> IngestReport:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files"),
        TextColumn("{task.fields[pages]} pages"),
        TextColumn("[red]{task.fields[failed]}[/]"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("ingest", total=None, pages=0, failed="")
        pages = failed = 0

        def progress(entry: FileReport, done: int, total: int) -> None:
            nonlocal pages, failed
            pages += entry.pages
            failed += entry.state in ("failed", "empty")
            note = f"{failed} failed" if failed else ""
            bar.update(task, completed=done, total=total, pages=pages, failed=note)

        return corpus.ingest(folder, options=options, progress=progress)


def search(
    question: Annotated[str, typer.Argument(help="What to look for.")],
    index: Index = _DEFAULT,
    namespace: Namespace = "default",
    k: Annotated[int, typer.Option("-k", min=1, help="Pages to print.")] = 5,
    path: Annotated[list[str] | None, typer.Option(help="Pattern of paths; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Tag of documents; repeatable.")] = None,
    as_json: AsJson = False,
) -> None:
    """Find the pages, regions and scenes that fit a question."""
    _need_extra()
    from langchain_kimi.rag import Filter, RagError
    from langchain_kimi.rag.settings import open_corpus

    where = Filter(paths=tuple(path or ()), tags=tuple(tag or ()))
    console = Console(stderr=True)
    if not (index / "index.sqlite").is_file():
        console.print(f"[red]there is no index in {escape(str(index))}: run ingest first[/]")
        raise typer.Exit(2)
    try:
        found = open_corpus(index, namespace=namespace).search(question, k=k, where=where)
    except (RagError, ValueError) as error:
        console.print(f"[red]{escape(str(error))}[/]")
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps([_plain(entry) for entry in found]))
        return
    for entry in found:
        _show(entry)
    if not found:
        typer.echo("nothing found")


def _show(entry: Found) -> None:
    typer.echo(f"{entry.score:6.2f}  {entry.place}")
    for region in entry.regions[:2]:
        first = " ".join(region.text.split())[:100]
        box = " ".join(f"{edge:.0f}" for edge in region.box) if region.box else ""
        typer.echo(f"        {region.kind} [{box}] {first}" if box else f"        {first}")


def _plain(entry: Found) -> dict[str, object]:
    return {
        "path": entry.document.path,
        "sha256": entry.document.sha256,
        "page": entry.page,
        "label": entry.label,
        "start": entry.start,
        "end": entry.end,
        "score": entry.score,
        "regions": [asdict(region) for region in entry.regions],
    }


def ask(
    question: Annotated[str, typer.Argument(help="What to find out.")],
    corpus: Annotated[
        Path, typer.Option("--corpus", "--index", help="Folder of the index.")
    ] = _DEFAULT,
    namespace: Namespace = "default",
    path: Annotated[list[str] | None, typer.Option(help="Pattern of paths; repeatable.")] = None,
    budget: Annotated[
        int, typer.Option(min=1_000, help="Tokens of pages and pictures before the model.")
    ] = 96_000,
    rounds: Annotated[int, typer.Option(min=1, help="Searches at most.")] = 2,
    report: Annotated[
        Path | None, typer.Option(help="Write the answer with its pages as HTML.", dir_okay=False)
    ] = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    endpoint: options.Endpoint = EndpointChoice.AUTO,
    thinking: options.Thinking = True,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the corpus, with quotes that are checked and links to the pages.

    The exit code is 1 when the documents do not answer it.
    """
    from langchain_kimi.cli import ask as command
    from langchain_kimi.cli.model import Connection

    connection = Connection(
        model=model, base_url=base_url, endpoint=endpoint.value, thinking=thinking
    )
    request = command.Request(
        question=question,
        corpus=corpus,
        namespace=namespace,
        budget=budget,
        rounds=rounds,
        paths=tuple(path or ()),
        report=report,
        as_json=as_json,
    )
    raise typer.Exit(command.ask(request, connection))
