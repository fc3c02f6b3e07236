"""What a check found."""

from dataclasses import dataclass
from typing import Literal

from rich.markup import escape

from langchain_kimi.cli.plain import plain

Outcome = Literal["yes", "no", "not tested"]


@dataclass(frozen=True)
class Result:
    """An answer and its reason."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True)
class Finding:
    """A check by name, with its result."""

    name: str
    result: Result

    @property
    def outcome(self) -> Outcome:
        """The answer: yes, no, or not tested."""
        return self.result.outcome

    @property
    def plain_reason(self) -> str:
        """The reason, safe for a terminal."""
        return escape(plain(self.result.reason))


def yes(reason: str) -> Result:
    """It can."""
    return Result("yes", reason)


def no(reason: str) -> Result:
    """It cannot, or it answered wrongly."""
    return Result("no", reason)


def not_tested(reason: str) -> Result:
    """Nobody knows."""
    return Result("not tested", reason)
