"""Limits that a caller sets: numbers of the right kind, in their range."""

from __future__ import annotations

from typing import Any

from langchain_kimi.errors import KimiInvalidInputError


def check_count(name: str, value: Any, *, least: int, advice: str) -> None:
    """Check a whole number.

    Args:
        name: Of the argument.
        value: What was given.
        least: The smallest that is allowed.
        advice: What to give instead.

    Raises:
        KimiInvalidInputError: It is of another type, or smaller.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{name} is of type {type(value).__name__}, no whole number. {advice}"
        raise KimiInvalidInputError(msg)
    if value < least:
        msg = f"{name}={value}: {least} is the least. {advice}"
        raise KimiInvalidInputError(msg)


def check_share(name: str, value: Any) -> None:
    """Check a number from 0 to 1.

    Raises:
        KimiInvalidInputError: It is none.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        msg = f"{name} is of type {type(value).__name__}, no number. Give one from 0 to 1."
        raise KimiInvalidInputError(msg)
    if not 0 <= value <= 1:
        msg = f"{name}={value}: give a number from 0 to 1."
        raise KimiInvalidInputError(msg)
