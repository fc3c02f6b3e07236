"""The chat loop."""

from rich.console import Console

from langchain_kimi.cli.approval import approver
from langchain_kimi.cli.errors import show_error
from langchain_kimi.cli.session import Agent, Session
from langchain_kimi.cli.transcript import Transcript
from langchain_kimi.errors import KimiError


def converse(agent: Agent, console: Console, *, yes: bool) -> None:
    """Read messages and send them until an empty line or the end of the input.

    An error of the endpoint ends the turn, not the conversation; so does Ctrl-C.
    """
    session = Session(agent, Transcript(console), approver(yes=yes))
    while text := _read(console):
        try:
            session.send(text)
        except KimiError as error:
            show_error(error)
        except KeyboardInterrupt:
            console.print("stopped", style="dim")
        session.transcript = Transcript(console)


def _read(console: Console) -> str:
    try:
        return console.input("[bold]you>[/bold] ").strip()
    except (EOFError, KeyboardInterrupt):
        console.print()
        return ""
