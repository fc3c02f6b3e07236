"""The demonstration: an agent on this project's own files, then research over documents."""

from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

import langchain_kimi
from langchain_kimi.agents import create_tool_agent, is_stand_in
from langchain_kimi.chat_models import ChatKimi
from langchain_kimi.cli.session import Agent, Session
from langchain_kimi.cli.transcript import Transcript
from langchain_kimi.middleware import Budget, RepeatedCallGuard
from langchain_kimi.tools import file_tools

if TYPE_CHECKING:
    from langchain_kimi.swarm import Price

PACE = 150.0
"""Tokens a second of the stand-in, so that there is something to watch."""
REPOSITORY_QUESTION = "Which Python versions does pyproject.toml support?"
PACKAGE_QUESTION = 'Search for "class {guard}": in which file is it?'

_SIMULATED = (
    "Simulated: the model. A stand-in follows rules, at {pace:.0f} tokens a second; it is no "
    "model, and its thoughts and answers are put together from your words and the tools' results. "
    "The documents are made up.\n"
    "Real: the HTTP exchange in vLLM's dialect, the streams, the graphs, the middleware, the tools "
    "and the files that they read, ingest, retrieval, and the check of each quote.\n"
    "For a real model set NVIDIA_API_KEY or MOONSHOT_API_KEY, or KIMI_BASE_URL for a server of "
    "your own, and run the demo again. For documents of your own: "
    'langchain-kimi research FOLDER "question"'
)
_FOLDER = Path(".langchain-kimi") / "demo"
_REAL = "Nothing is simulated; only the documents of the investigation are made up."


def show(llm: ChatKimi, console: Console, *, price: "Price | None" = None) -> bool:
    """Answer questions on the project's files, then investigate a set of documents.

    Returns:
        Whether every question got an answer, and nothing is missing from the investigation.
    """
    root, questions = _subject()
    agent = create_tool_agent(llm, file_tools(root), budget=Budget(steps=12))
    console.print(Rule("1. An agent with tools", align="left"))
    console.print(Text(f"It reads the files of {root.name}/.", style="dim"))
    answered = [_ask(agent, question, console) for question in questions]
    complete = _investigate(llm, console, price)
    simulated = _SIMULATED.format(pace=PACE) if is_stand_in(llm) else _REAL
    console.print(Panel(simulated, title="What is simulated", title_align="left"))
    return all(answered) and complete


def _investigate(llm: ChatKimi, console: Console, price: "Price | None") -> bool:
    """Run the research of the sample documents, which are drawn first; whether it was complete."""
    console.print(Rule("2. A background agent over documents", align="left"))
    try:
        from langchain_kimi.cli.research import research  # noqa: PLC0415  an extra
        from langchain_kimi.research.sample import QUESTION, write_sample  # noqa: PLC0415
    except ImportError as error:
        line = f"Left out ({error}): it needs langchain-kimi-nvidia[rag]."
        console.print(line, markup=False)
        return True
    from langchain_kimi.cli.work import Work  # noqa: PLC0415  brings the swarm with it
    from langchain_kimi.swarm import Budget  # noqa: PLC0415

    documents = write_sample(_FOLDER / "documents")
    names = ", ".join(sorted(path.name for path in documents.iterdir()))
    console.print(Text(f"{documents}/: {names}", style="dim"))
    console.print(Text(QUESTION, style="bold"))
    budget = Budget(steps=200, subagents=20)
    job = Work(task=QUESTION, folder=_FOLDER, budget=budget, price=price, again=True)
    return research(documents, job, llm, console) == 0


def _ask(agent: Agent, question: str, console: Console) -> bool:
    console.print(Text(question, style="bold"))
    transcript = Transcript(console)
    Session(agent, transcript, approve=lambda _: False).send(question)
    return transcript.has_answer


def _subject() -> tuple[Path, list[str]]:
    """Return the repository, or the installed package when there is no repository around it."""
    package = Path(langchain_kimi.__file__).parent
    question = PACKAGE_QUESTION.format(guard=RepeatedCallGuard.__name__)
    if (package.parent / "langgraph.json").is_file():
        return package.parent, [REPOSITORY_QUESTION, question]
    return package, [question]
