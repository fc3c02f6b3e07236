"""Asking a person before code runs."""

import sys
from typing import Any

import typer

from langchain_kimi.cli.plain import plain
from langchain_kimi.cli.session import Approve


def approver(*, yes: bool) -> Approve:
    """Return how to decide: always yes, or by asking; no one to ask means no."""
    return _always if yes else _ask


def _always(_request: dict[str, Any]) -> bool:
    return True


def _ask(request: dict[str, Any]) -> bool:
    code = plain("\n".join(str(value) for value in request["args"].values()))
    typer.echo(f"{request['name']} wants to run:\n{code}")
    if not _someone_is_there():
        typer.echo("Not run: there is no one to ask. Pass --yes to allow it.")
        return False
    return typer.confirm("Run it?")


def _someone_is_there() -> bool:
    return sys.stdin.isatty()
