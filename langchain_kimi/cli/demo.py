"""The demonstration: an agent on this project's own files, then research over documents."""

from pathlib import Path

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

REPOSITORY_QUESTIONS = (
    "Which Python versions does pyproject.toml support?",
    "Which graphs does langgraph.json name, and what do they do?",
)
PACKAGE_QUESTIONS = (
    'Search for "class {guard}": in which file is it?',
    "Which fields does the class Budget in {package}middleware/budget.py have?",
)

_SIMULATED = (
    "Simulated: the model. A stand-in follows rules; it is no model, and its thoughts and answers "
    "are put together from your words and the tools' results.\n"
    "Real: the HTTP exchange in vLLM's dialect, the streams, the graphs, the middleware, the tools "
    "and the files that they read, ingest, retrieval, and the check of each quote.\n"
    "For a real model set NVIDIA_API_KEY or MOONSHOT_API_KEY, or KIMI_BASE_URL for a server of "
    "your own, and run the demo again."
)
_FOLDER = Path(".langchain-kimi") / "demo"
_REAL = "Nothing is simulated; only the documents of the investigation are made up."


def show(llm: ChatKimi, console: Console) -> bool:
    """Answer questions on the project's files, draw the graph, investigate a set of documents.

    Returns:
        Whether every question got an answer, and nothing is missing from the investigation.
    """
    root, questions = _subject()
    agent = create_tool_agent(llm, file_tools(root), budget=Budget(steps=12))
    console.print(Text(f"The agent reads the files of {root.name}/.", style="dim"))
    answered = [_ask(agent, question, console) for question in questions]
    console.print(Rule("The graph", align="left"))
    console.print(Text(picture(agent)), soft_wrap=True)
    complete = _investigate(llm, console)
    simulated = _SIMULATED if is_stand_in(llm) else _REAL
    console.print(Panel(simulated, title="What is simulated", title_align="left"))
    return all(answered) and complete


def _investigate(llm: ChatKimi, console: Console) -> bool:
    """Run the research of the sample documents, which are drawn first; whether it was complete."""
    console.print(Rule("Research with sub-agents", align="left"))
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
    console.print(Text(f"The documents in {documents}/ were drawn for this.", style="dim"))
    console.print(Text(QUESTION, style="bold"))
    budget = Budget(steps=200, subagents=20)
    job = Work(task=QUESTION, folder=_FOLDER, budget=budget, again=True)
    return research(documents, job, llm, console) == 0


def picture(agent: Agent) -> str:
    """Draw a graph as Mermaid text."""
    return agent.get_graph().draw_mermaid(with_styles=False).strip().replace("\\2e", ".")


def _ask(agent: Agent, question: str, console: Console) -> bool:
    console.print(Rule())
    console.print(Text(question, style="bold"))
    transcript = Transcript(console)
    Session(agent, transcript, approve=lambda _: False).send(question)
    return transcript.has_answer


def _subject() -> tuple[Path, list[str]]:
    """Return the repository, or the installed package when there is no repository around it."""
    package = Path(langchain_kimi.__file__).parent
    is_cloned = (package.parent / "langgraph.json").is_file()
    names = {
        "guard": RepeatedCallGuard.__name__,
        "package": f"{package.name}/" if is_cloned else "",
    }
    questions = [question.format(**names) for question in PACKAGE_QUESTIONS]
    if is_cloned:
        return package.parent, [*REPOSITORY_QUESTIONS, *questions]
    return package, questions
