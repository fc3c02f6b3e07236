"""Errors as one clear line."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from langchain_kimi.cli.plain import plain
from langchain_kimi.errors import KimiError, redact

_KEYS = ("NVIDIA_API_KEY", "MOONSHOT_API_KEY")
_EXPECTED = (KimiError, ValueError, OSError, ImportError)
INTERRUPTED = 130


def error_line(error: Exception) -> str:
    """Return an error as one line, without any key."""
    text = _refused_values(error) if isinstance(error, ValidationError) else str(error)
    secrets = [key for name in _KEYS if (key := os.environ.get(name))]
    text = re.sub(r"(?<=\w)\n(?=[A-Z])", ". ", text)  # a line of advice is a sentence of its own
    line = " ".join(text.split()) or type(error).__name__
    return plain(redact(line, secrets))


def show_error(error: Exception) -> None:
    """Print an error to the standard error stream."""
    line = Text.assemble(("Error: ", "bold red"), error_line(error))
    Console(stderr=True).print(line, soft_wrap=True)


def _refused_values(error: ValidationError) -> str:
    """Say what was wrong with which values, and not the values, which may be secret."""
    details = error.errors(include_url=False, include_input=False)
    said = []
    for detail in details:
        name = ".".join(str(part) for part in detail["loc"])
        reason = detail["msg"].removeprefix("Value error, ")
        said.append(f"{name}: {reason}" if name else reason)
    return "; ".join(said)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn what can be expected to go wrong into one line and an exit code.

    Raises:
        typer.Exit: With code 1 after an error, 130 after Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except _EXPECTED as error:
        show_error(error)
        raise typer.Exit(1) from None
