"""The options of the commands. What the commands do stands in `commands`."""

import logging
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from langchain_kimi._version import __version__
from langchain_kimi.cli import options, rag, runs, worker
from langchain_kimi.cli.options import EndpointChoice

app = typer.Typer(
    name="langchain-kimi",
    help="Kimi from the terminal: chat, run a task, check an endpoint, serve a scripted one.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _commands() -> ModuleType:
    """Import what the commands need, which takes seconds, when one of them runs."""
    from langchain_kimi.cli import commands  # noqa: PLC0415

    return commands


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Keep the package's log out of the terminal; the commands say what matters."""
    logging.getLogger("langchain_kimi").addHandler(logging.NullHandler())


@app.command()
@options.of_an_agent
def chat(
    *,
    connection: Any,
    toolbox: Any,
    max_steps: options.MaxSteps = None,
) -> None:
    """Talk with an agent; an empty line or Ctrl-D ends it."""
    raise typer.Exit(_commands().chat(connection, toolbox, max_steps=max_steps))


@app.command()
@options.of_an_agent
def run(
    task: Annotated[str, typer.Argument(help="What to do.", callback=options.not_empty)],
    *,
    connection: Any,
    toolbox: Any,
    max_steps: options.MaxSteps = 50,
) -> None:
    """Run one task with tools and print thoughts, calls, results and the answer.

    The exit code is 1 when the run failed or was stopped without an answer.
    """
    raise typer.Exit(_commands().run(task, connection, toolbox, max_steps=max_steps))


@app.command()
@options.of_an_agent
@options.of_a_long_run
def work(
    task: Annotated[
        str,
        typer.Argument(
            help="What to do; the same task goes on where it was.", callback=options.not_empty
        ),
    ],
    *,
    connection: Any,
    toolbox: Any,
    run: Any,
    journal: Annotated[
        str | None, typer.Option("--journal", help="A PostgreSQL URL; SQLite by default.")
    ] = None,
) -> None:
    """Give the background agent a long task; it plans, fans out, and keeps every step on disk.

    The exit code is 1 when something is missing from the result.
    """
    raise typer.Exit(_commands().work(task, connection, toolbox, run, journal=journal))


@app.command()
@options.of_a_model
@options.of_a_long_run
def research(
    documents: Annotated[
        Path, typer.Argument(help="A folder of PDFs, pictures, videos, notes.", exists=True)
    ],
    question: Annotated[str, typer.Argument(help="What to find out.", callback=options.not_empty)],
    *,
    connection: Any,
    run: Any,
) -> None:
    """Investigate a question over documents with sub-agents; ends with a cited HTML report.

    The exit code is 1 when something is missing from the result.
    """
    raise typer.Exit(_commands().research(documents, question, connection, run))


@app.command()
@options.of_a_model
def page(
    mock_up: Annotated[
        Path, typer.Argument(help="A picture of the page.", exists=True, dir_okay=False)
    ],
    *,
    connection: Any,
    target: Annotated[Path, typer.Option("--page", help="Where the page is written.")] = Path(
        "page.html"
    ),
    report: Annotated[
        Path | None, typer.Option(help="Write the attempts with their pictures as HTML.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Attempts at most.")] = 3,
) -> None:
    """Turn a mock-up into a web page: rendered in Chromium, compared, improved."""
    raise typer.Exit(
        _commands().page(mock_up, connection, target=target, report=report, rounds=rounds)
    )


@app.command()
@options.of_a_model
def doctor(
    *,
    connection: Any,
    video: Annotated[
        Path | None,
        typer.Option("--video", help="A short video to test with.", dir_okay=False, exists=True),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds to wait for each reply.")
    ] = 120.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Say what an endpoint can do: each yes, no, or not tested, with the reason.

    The exit code is 1 when the endpoint cannot run an agent.
    """
    patient = replace(connection, fields={"timeout": timeout, "max_retries": 0})
    raise typer.Exit(_commands().doctor(patient, video=video, as_json=as_json))


@app.command()
def endpoint(
    dialect: Annotated[
        EndpointChoice, typer.Option("--dialect", help="Whose dialect it speaks.")
    ] = EndpointChoice.VLLM,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="The port; 0 takes a free one.")
    ] = 8123,
    api_key: Annotated[
        str | None, typer.Option("--api-key", help="The key that clients must send.")
    ] = None,
    tokens_per_second: Annotated[
        float | None, typer.Option("--tokens-per-second", help="The pace; instant by default.")
    ] = None,
) -> None:
    """Serve the scripted endpoint: a stand-in that answers by rules and is no model."""
    exit_code = _commands().endpoint(
        dialect.value, host=host, port=port, api_key=api_key, pace=tokens_per_second
    )
    raise typer.Exit(exit_code)


@app.command()
@options.of_a_model
def demo(*, connection: Any, price: options.Price = None) -> None:
    """Show an agent at work on files, then an investigation over documents with its report.

    The documents, a film among them, are drawn for it.
    """
    commands = _commands()
    paced = replace(connection, pace=commands.DEMO_PACE)
    raise typer.Exit(commands.demo(paced, price=price))


rag.register(app)
runs.register(app)
worker.register(app)
