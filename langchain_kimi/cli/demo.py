"""The demonstration: an agent at work on this project's own files."""

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
    "Real: the HTTP exchange in vLLM's dialect, the streams, the agent graph, its middleware, the "
    "tools, and the files that they read.\n"
    "For a real model set NVIDIA_API_KEY or MOONSHOT_API_KEY, or KIMI_BASE_URL for a server of "
    "your own, and run the demo again."
)
_REAL = "Nothing is simulated: the model, the tools and the files are real."


def show(llm: ChatKimi, console: Console) -> bool:
    """Answer questions on the project's files, then draw the graph.

    Returns:
        Whether every question got an answer.
    """
    root, questions = _subject()
    agent = create_tool_agent(llm, file_tools(root), budget=Budget(steps=12))
    console.print(Text(f"The agent reads the files of {root.name}/.", style="dim"))
    answered = [_ask(agent, question, console) for question in questions]
    console.print(Rule("The graph", align="left"))
    console.print(Text(picture(agent)), soft_wrap=True)
    simulated = _SIMULATED if is_stand_in(llm) else _REAL
    console.print(Panel(simulated, title="What is simulated", title_align="left"))
    return all(answered)


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
