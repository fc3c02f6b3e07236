"""Asking a person before code runs."""

import json
import sys
from typing import Any

import typer

from langchain_kimi.cli.plain import revealed
from langchain_kimi.cli.session import Approve


def approver(*, yes: bool) -> Approve:
    """Return how to decide: always yes, or by asking; no one to ask means no."""
    return _always if yes else _ask


def _always(_request: dict[str, Any]) -> bool:
    return True


def _ask(request: dict[str, Any]) -> bool:
    typer.echo(shown(request))
    if not _someone_is_there():
        typer.echo("Not run: there is no one to ask. Pass --yes to allow it.")
        return False
    return typer.confirm("Run it?")


def shown(request: dict[str, Any]) -> str:
    """Write a call so that nothing of it hides: each argument by name, each line with a bar.

    Characters that cannot be seen, or that change the order of what is seen, are escapes.
    """
    lines = [f"{revealed(request['name'])} wants to run:"]
    for name, value in request["args"].items():
        text = value if isinstance(value, str) else json.dumps(value, default=repr)
        if len(request["args"]) > 1:
            lines.append(f"{revealed(name)}:")
        lines += [f"  | {revealed(line, keep=chr(9))}" for line in text.split("\n")]
    return "\n".join(lines)


def _someone_is_there() -> bool:
    return sys.stdin.isatty()
