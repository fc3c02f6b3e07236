"""Patterns that a model writes: regular expressions and globs, matched in linear time.

Python's `re` backtracks, so that a pattern such as `(a+)+$` can hold the process for hours. RE2
never does; the price is that it has no lookaround and no backreferences.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2
from langchain_core.tools import ToolException

MAX_PATTERN_CHARACTERS = 1_000
_MAX_PROGRAM_BYTES = 8_000_000

_GLOB_PARTS = re.compile(r"(\*\*/|\*\*|\*|\?|\{[^{}]*\}|\[[^\]/]*\])")
_NESTED = re.compile(r"\{[^{}]*\{[^{}]*\}")
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Pattern:
    """A compiled pattern."""

    def __init__(self, expression: str) -> None:
        """Compile an expression in RE2's syntax.

        Raises:
            re2.error: When it is not valid, or too large.
            UnicodeError: When it has characters that are no text.
        """
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _MAX_PROGRAM_BYTES
        self._compiled: Any = re2.compile(expression, options)

    def occurs_in(self, text: str) -> bool:
        """Say whether a part of the text matches."""
        return self._compiled.search(text) is not None

    def fits(self, text: str) -> bool:
        """Say whether the whole text matches."""
        return self._compiled.fullmatch(text) is not None


def regular_expression(text: str) -> Pattern:
    """Compile a regular expression.

    Raises:
        ToolException: When it is not valid.
    """
    return _compiled(text, text, "regular expression")


def glob(text: str) -> Pattern:
    """Compile a glob for paths relative to a folder.

    `*` and `?` stay within a name, `**/` crosses folders, `{a,b}` are alternatives; a glob without
    a slash is for the name at any depth.

    Raises:
        ToolException: When it is not valid.
    """
    if _NESTED.search(text):
        msg = f"{text[:200]!r} has braces within braces. Write all alternatives in one: {{a,b,c}}."
        raise ToolException(msg)
    rooted = text.removeprefix("./")
    return _compiled(_expression(rooted if "/" in rooted else f"**/{rooted}"), text, "glob")


@lru_cache(maxsize=32)
def any_glob(globs: tuple[str, ...], *, below: bool) -> Pattern:
    """Compile globs into one pattern for the end of a path at any depth.

    Args:
        globs: The globs.
        below: Whether what lies below a match fits too.
    """
    ends = "|".join(_expression(text) for text in globs)
    return Pattern(f"(?s)(?:.*/)?(?:{ends}){'(?:/.*)?' if below else ''}")


def _compiled(expression: str, text: str, kind: str) -> Pattern:
    if len(text) > MAX_PATTERN_CHARACTERS:
        msg = f"The {kind} is longer than {MAX_PATTERN_CHARACTERS:,} characters."
        raise ToolException(msg)
    try:
        return Pattern(f"(?s){expression}" if kind == "glob" else expression)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "unknown"
        msg = (
            f"{text!r} is not a valid {kind}: {reason}. The syntax is RE2's: no lookaround, "
            "no backreferences, repetitions up to 1000."
        )
        raise ToolException(msg) from None
    except UnicodeError:
        msg = f"{text!r} is not a valid {kind}: it has characters that are no text."
        raise ToolException(msg) from None


def _expression(text: str) -> str:
    return "".join(_translated(part) for part in _GLOB_PARTS.split(text))


def _translated(part: str) -> str:
    if part in _WILDCARDS:
        return _WILDCARDS[part]
    if part.startswith("{") and part.endswith("}"):
        return "(?:" + "|".join(_expression(option) for option in part[1:-1].split(",")) + ")"
    if part.startswith("[") and part.endswith("]") and len(part) > 2:
        is_negated = part[1] in "!^" and len(part) > 3
        members = re.sub(r"([\\\[^])", r"\\\1", part[2 if is_negated else 1 : -1])
        return f"[^/{members}]" if is_negated else f"[{members}]"
    return re.escape(part)
