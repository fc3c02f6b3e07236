"""Around the clock: `langchain-kimi worker` and `langchain-kimi queue`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from langchain_kimi.cli import options

if TYPE_CHECKING:
    from langchain_kimi.workers import Queue, RunStatus

_DEFAULT = Path(".langchain-kimi")
Folder = Annotated[Path, typer.Option("--folder", help="Where a single worker keeps everything.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--database", envvar="KIMI_QUEUE", help="A PostgreSQL URL, which several workers share."
    ),
]
Name = Annotated[str, typer.Argument(help="The run's name.")]

queue_app = typer.Typer(
    name="queue", help="Submit runs to workers, look at them, steer them.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands to an application."""
    app.command()(worker)
    app.add_typer(queue_app)


@options.of_an_agent
def worker(
    *,
    connection: Any,
    toolbox: Any,
    folder: Folder = _DEFAULT,
    database: Database = None,
    concurrency: Annotated[int, typer.Option("--concurrency", min=1, help="Runs at a time.")] = 4,
    grace: Annotated[
        float, typer.Option("--grace", min=0, help="Seconds for runs to end after SIGTERM.")
    ] = 30.0,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Steps of a run at most.")] = 4000,
    subagents: Annotated[int, typer.Option("--subagents", min=1, help="Sub-agents.")] = 300,
    rpm: Annotated[
        int | None, typer.Option("--rpm", min=1, help="Requests a minute of one run.")
    ] = None,
    private_host: Annotated[
        list[str] | None,
        typer.Option("--webhook-host", help="A host:port with a private address for webhooks."),
    ] = None,
) -> None:
    """Work on queued runs until SIGTERM; submit them with `langchain-kimi queue submit`.

    What a run may change in the world waits for a person, `queue approve`, unless --yes is given.
    """
    from langchain_kimi.cli import serve_queue  # noqa: PLC0415  brings the swarm with it

    raise typer.Exit(
        serve_queue.serve(
            database or folder,
            connection,
            toolbox,
            budget={"steps": steps, "subagents": subagents},
            requests_per_minute=rpm,
            concurrency=concurrency,
            grace=grace,
            private_hosts=private_host or (),
        )
    )


@queue_app.command()
def submit(
    task: Annotated[str, typer.Argument(help="What to do.")],
    *,
    name: Annotated[str | None, typer.Option("--name", help="Sent twice, it runs once.")] = None,
    webhook: Annotated[str | None, typer.Option("--webhook", help="An https URL to tell.")] = None,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Put a run into the queue and print its name."""
    with _queue(folder, database) as queue:
        from langchain_kimi.workers import Task  # noqa: PLC0415  an extra

        typer.echo(queue.submit(Task(task=task, webhook=webhook), run=name))


@queue_app.command(name="list")
def list_runs(*, folder: Folder = _DEFAULT, database: Database = None) -> None:
    """List the runs, the newest first, and the schedules."""
    with _queue(folder, database) as queue:
        for run in queue.runs():
            _print(_line(run))
        for name, cron in queue.schedules().items():
            _print(f"schedule {name}: {cron}")


@queue_app.command()
def show(run: Name, *, folder: Folder = _DEFAULT, database: Database = None) -> None:
    """Show how a run stands: what it asks, its sub-agents, or what came of it. 1 when it failed."""
    with _queue(folder, database) as queue:
        status = queue.status(run)
        _print(_line(status))
        if status.state == "running":
            _print(json.dumps(queue.look(run), indent=2))
        elif status.outcome is not None:
            _print(str(status.outcome["result"]))
        elif status.error is not None:
            _print(status.error)
    raise typer.Exit(1 if status.state in ("failed", "cancelled") else 0)


@queue_app.command()
def cancel(
    run: Name,
    *,
    agent: Annotated[str | None, typer.Option("--agent", help="Only this sub-agent.")] = None,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Stop a run; what it had is kept and reported."""
    with _queue(folder, database) as queue:
        queue.cancel(run, agent)


@queue_app.command()
def pause(run: Name, *, folder: Folder = _DEFAULT, database: Database = None) -> None:
    """Begin no more steps of a run."""
    with _queue(folder, database) as queue:
        queue.pause(run)


@queue_app.command()
def resume(run: Name, *, folder: Folder = _DEFAULT, database: Database = None) -> None:
    """Go on with a paused run."""
    with _queue(folder, database) as queue:
        queue.resume(run)


@queue_app.command()
def tell(
    run: Name,
    text: Annotated[str, typer.Argument(help="What it is to know.")],
    *,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Tell a run something, which it reads before its next step."""
    with _queue(folder, database) as queue:
        queue.send(run, text)


@queue_app.command()
def approve(
    run: Name,
    requests: Annotated[list[str], typer.Argument(help="Ids of requests, as `show` prints them.")],
    *,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse instead.")] = False,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Approve what a run asks for."""
    with _queue(folder, database) as queue:
        decision = {"type": "reject" if reject else "approve"}
        queue.answer(run, dict.fromkeys(requests, decision))


@queue_app.command()
def prune(
    *,
    days: Annotated[float, typer.Option("--days", min=0, help="Since their end.")] = 30.0,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Forget runs that ended; their journals stay."""
    with _queue(folder, database) as queue:
        for name in queue.prune(older_than=days * 86_400):
            _print(f"forgot {name}")


@queue_app.command()
def schedule(
    name: Annotated[str, typer.Argument(help="The schedule's name.")],
    cron: Annotated[str, typer.Argument(help="Five fields: '0 6 * * 1-5'.")],
    task: Annotated[str, typer.Argument(help="What to do each time.")],
    *,
    timezone: Annotated[str | None, typer.Option("--timezone", help="Default: UTC.")] = None,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Run a task by the clock; what was missed is caught up once."""
    with _queue(folder, database) as queue:
        queue.schedule(name, cron, task, timezone=timezone)


@queue_app.command()
def unschedule(
    name: Annotated[str, typer.Argument(help="The schedule's name.")],
    *,
    folder: Folder = _DEFAULT,
    database: Database = None,
) -> None:
    """Remove a schedule."""
    with _queue(folder, database) as queue:
        queue.unschedule(name)


@contextmanager
def _queue(folder: Path, database: str | None) -> Iterator["Queue"]:
    from langchain_kimi.cli.errors import one_line_errors  # noqa: PLC0415  quick `--help`

    with one_line_errors():
        try:
            from langchain_kimi.workers import Queue  # noqa: PLC0415  an extra
        except ImportError as error:
            msg = f"{error}: it needs langchain-kimi-nvidia[workers]"
            raise ValueError(msg) from None
        with Queue(database or folder) as queue:
            try:
                yield queue
            except KeyError as error:
                raise ValueError(error.args[0]) from None


def _line(run: "RunStatus") -> str:
    status = f" ({run.outcome['status']})" if run.outcome else ""
    return f"{run.id}  {run.state}{status}  {run.submitted:%Y-%m-%d %H:%M:%S}  {run.task[:80]}"


def _print(text: str) -> None:
    from langchain_kimi.cli.plain import plain  # noqa: PLC0415  quick `--help`

    typer.echo(plain(text))
