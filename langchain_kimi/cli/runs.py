"""List and forget what `langchain-kimi work` keeps: `langchain-kimi runs`."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from langchain_kimi.swarm.backend import RunInfo

_DAY = 86_400.0


def register(app: typer.Typer) -> None:
    """Add the command to an application."""
    app.command()(runs)


def runs(
    *,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", help="Forget this run; may be repeated.")
    ] = None,
    prune: Annotated[
        float | None,
        typer.Option("--prune", min=0, help="Forget runs not written to for so many days."),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Where `work` keeps them.")] = Path(
        ".langchain-kimi"
    ),
    journal: Annotated[
        str | None, typer.Option("--journal", help="A PostgreSQL URL; SQLite by default.")
    ] = None,
) -> None:
    """List the runs of `work`, or forget some: journal, checkpoints, report and artifacts.

    The exit code is 1 when a run to delete is not there.
    """
    from langchain_kimi.cli.errors import one_line_errors  # noqa: PLC0415 - quick `--help`
    from langchain_kimi.cli.plain import plain  # noqa: PLC0415

    with one_line_errors():
        found: tuple[list[RunInfo], list[str]] = ([], [])
        if journal is not None or (folder / "journal.sqlite").exists():
            folder.mkdir(parents=True, exist_ok=True)  # of a server's journal it holds nothing yet
            found = asyncio.run(_manage(folder, journal, delete or [], prune))
    known, gone = found
    for name in gone:
        _remove_files(folder, name)
        typer.echo(f"forgotten: {plain(name)}")
    for info in known:
        typer.echo(plain(_line(info, folder)))
    if not known:
        typer.echo(f"There are no runs in {folder}.")
    if missing := [name for name in delete or [] if name not in gone]:
        typer.echo(f"There is no run {', '.join(map(plain, missing))}.", err=True)
        raise typer.Exit(1)


async def _manage(
    folder: Path, journal: str | None, delete: list[str], prune: float | None
) -> tuple[list[RunInfo], list[str]]:
    """Forget what is to be forgotten; return the runs that are left, and those that are gone."""
    from langchain_kimi.cli.work import kept  # noqa: PLC0415 - brings the swarm with it
    from langchain_kimi.swarm import delete_run, prune_runs  # noqa: PLC0415

    async with kept(folder, journal) as (opened, saver):
        there = {info.name for info in await opened.runs()}
        gone = [name for name in delete if name in there]
        for name in gone:
            await delete_run(opened, name, checkpointer=saver)
        if prune is not None:
            gone += await prune_runs(opened, older_than=prune * _DAY, checkpointer=saver)
        elif gone:
            await opened.vacuum()
        left = await opened.runs()
    return left, gone


def _remove_files(folder: Path, name: str) -> None:
    """Remove a run's report and artifacts; the name must not lead out of the folder."""
    if (folder / name).resolve().parent == folder.resolve():
        shutil.rmtree(folder / name, ignore_errors=True)


def _line(info: RunInfo, folder: Path) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(info.updated))
    state = "reported" if (folder / info.name / "report.md").exists() else "no report yet"
    return f"{info.name}  {when}  {info.records} records, {info.size / 1e6:.1f} MB  {state}"
