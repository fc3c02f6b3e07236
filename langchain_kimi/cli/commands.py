"""What the commands do. It is imported when a command runs, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from langchain_kimi.cli import doctor as checks
from langchain_kimi.cli.approval import approver
from langchain_kimi.cli.chat import converse
from langchain_kimi.cli.demo import PACE as DEMO_PACE
from langchain_kimi.cli.demo import show
from langchain_kimi.cli.endpoint import serve
from langchain_kimi.cli.errors import one_line_errors
from langchain_kimi.cli.model import Connection
from langchain_kimi.cli.prices import price_of
from langchain_kimi.cli.session import Session, make_agent
from langchain_kimi.cli.toolbox import Toolbox
from langchain_kimi.cli.transcript import Transcript

if TYPE_CHECKING:
    from langchain_kimi.cli.work import Work

__all__ = [
    "DEMO_PACE",
    "Connection",
    "LongRun",
    "Toolbox",
    "chat",
    "demo",
    "doctor",
    "endpoint",
    "page",
    "research",
    "run",
    "work",
]


def chat(connection: Connection, toolbox: Toolbox, *, max_steps: int | None) -> int:
    """Talk with an agent."""
    console = Console()
    with one_line_errors():
        tools, middleware = toolbox.open()
        with connection.open(console) as llm:
            agent = make_agent(llm, tools, middleware, max_steps=max_steps)
            converse(agent, console, yes=toolbox.yes)
    return 0


def run(task: str, connection: Connection, toolbox: Toolbox, *, max_steps: int | None) -> int:
    """Run one task; 1 when it was stopped without an answer."""
    console = Console()
    transcript = Transcript(console)
    with one_line_errors():
        tools, middleware = toolbox.open()
        with connection.open(console) as llm:
            agent = make_agent(llm, tools, middleware, max_steps=max_steps)
            Session(agent, transcript, approver(yes=toolbox.yes)).send(task)
    return 0 if transcript.has_answer else 1


@dataclass(frozen=True, kw_only=True)
class LongRun:
    """What a run with sub-agents may use, and where it keeps what it needs to go on."""

    folder: Path
    subagents: int
    steps: int
    rpm: int | None
    price: str | None
    again: bool

    def job(self, task: str, *, journal: str | None = None) -> "Work":
        """Return the work that is to be done.

        Raises:
            ValueError: When the price is none.
        """
        from langchain_kimi.cli.work import Work  # noqa: PLC0415  brings the swarm with it
        from langchain_kimi.swarm import Budget  # noqa: PLC0415

        return Work(
            task=task,
            folder=self.folder,
            budget=Budget(steps=self.steps, subagents=self.subagents),
            price=price_of(self.price),
            journal=journal,
            requests_per_minute=self.rpm,
            again=self.again,
        )


def work(
    task: str, connection: Connection, toolbox: Toolbox, run: LongRun, *, journal: str | None
) -> int:
    """Do a long task with sub-agents; 1 when something is missing."""
    from langchain_kimi.cli import work as swarm  # noqa: PLC0415  brings the swarm with it

    console = Console()
    with one_line_errors():
        tools = toolbox.open_for_subagents()
        job = run.job(task, journal=journal)
        with connection.open(console) as llm:
            return swarm.work(job, llm, console, approver(yes=toolbox.yes), tools)


def research(documents: Path, question: str, connection: Connection, run: LongRun) -> int:
    """Investigate a question over documents; 1 when something is missing."""
    console = Console()
    with one_line_errors():
        try:
            from langchain_kimi.cli import research as over_documents  # noqa: PLC0415  an extra
        except ImportError as error:
            msg = f"{error}: documents need the extra: pip install 'langchain-kimi-nvidia[rag]'"
            raise ValueError(msg) from error
        job = run.job(question)
        with connection.open(console) as llm:
            return over_documents.research(documents, job, llm, console)


def page(
    mock_up: Path, connection: Connection, *, target: Path, report: Path | None, rounds: int
) -> int:
    """Turn a mock-up into a page."""
    console = Console()
    with one_line_errors():
        try:
            from langchain_kimi.cli import page as visual  # noqa: PLC0415  an extra
        except ImportError as error:
            msg = f"{error}: pictures need the extra: pip install 'langchain-kimi-nvidia[media]'"
            raise ValueError(msg) from error
        with connection.open(console) as llm:
            return visual.page(mock_up, llm, console, target=target, report=report, rounds=rounds)


def doctor(connection: Connection, *, video: Path | None, as_json: bool) -> int:
    """Examine an endpoint; 1 when it cannot run an agent."""
    notes = Console(stderr=True)
    with one_line_errors(), connection.open(notes) as llm:
        with notes.status("Asking …") as status:
            findings = checks.examine(llm, video=video, progress=status.update)
        if as_json:
            Console().print_json(checks.as_document(llm, findings))
        else:
            Console().print(checks.as_table(llm, findings))
    return 0 if checks.is_fit(findings) else 1


def endpoint(dialect: str, *, host: str, port: int, api_key: str | None, pace: float | None) -> int:
    """Serve the scripted endpoint until Ctrl-C."""
    with one_line_errors():
        serve(dialect, host=host, port=port, api_key=api_key, pace=pace)
    return 0


def demo(connection: Connection, *, price: str | None) -> int:
    """Show an agent at work; 1 when a question got no answer."""
    console = Console()
    with one_line_errors():
        known = price_of(price)
        with connection.open(console) as llm:
            return 0 if show(llm, console, price=known) else 1
