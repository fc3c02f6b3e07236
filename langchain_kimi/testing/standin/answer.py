"""Answering from tool results: the lines that share the question's words, quoted."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from langchain_kimi.testing.standin.situation import Result, Situation
from langchain_kimi.testing.standin.vocabulary import (
    ACTIONS,
    ASKS_A_NUMBER,
    LOOK_UP,
    OVERVIEW,
    SYNONYMS,
)
from langchain_kimi.testing.standin.words import (
    NUMBER,
    files,
    identifiers,
    keywords,
    quoted,
    stem,
    stems,
    words,
)

NAME = "Stand-in (no model)"
MAX_LINES = 5
SHORT = 300
MAX_RESULTS = 4
ENOUGH = 0.5
MAX_LINE = 400
ALIKE = tuple(frozenset(stem(word) for word in group) for group in SYNONYMS)
LOOKING_UP = frozenset(stem(word) for word in LOOK_UP)
TO_FIND = frozenset(stem(word) for word in ACTIONS["search"])
ABOUT_ALL = frozenset(stem(word) for word in OVERVIEW)
NUMBER_WORDS = frozenset(stem(word) for word in ASKS_A_NUMBER)


@dataclass(frozen=True)
class Quote:
    """Lines of a result, and how many of the question's words they meet (0 to 1)."""

    lines: list[str]
    coverage: float


def quote(result: Result, situation: Situation) -> Quote:
    """Find the lines of a result that answer the question best."""
    wanted = situation.keywords
    lines = [line.strip() for line in result.text.splitlines() if line.strip()]
    if wanted <= ABOUT_ALL and "readme" in result.call.lower():
        return Quote([line for line in lines if stems(line)][:MAX_LINES], 1.0)
    in_line = [stems(line) for line in lines]
    frequency = Counter(word for found in in_line for word in found)
    exact = _named_exactly(situation.question)
    asks_number = bool(wanted & NUMBER_WORDS)

    def score(number: int) -> float:
        met = sum(
            max(
                (1 / (1 + math.log(frequency[s])) for s in _alike(word) & in_line[number]),
                default=0.0,
            )
            for word in wanted
        )
        met += sum(named.search(lines[number]) is not None for named in exact)
        return met + (0.3 if met and asks_number and NUMBER.search(_digits(lines[number])) else 0)

    scores = {number: score(number) for number in range(len(lines))}
    best = max(scores.values(), default=0.0)
    if best <= 0:
        return Quote(lines[:MAX_LINES], 0.0)
    top = sorted(scores, key=lambda n: (-scores[n], n))[:MAX_LINES]
    kept = sorted(number for number in top if scores[number] >= 0.75 * best)
    met = {word for word in wanted for number in kept if _alike(word) & in_line[number]}
    return Quote([lines[number] for number in kept], len(met) / max(1, len(wanted)))


def settles(result: Result, situation: Situation) -> bool:
    """Tell whether a result settles the question, as far as words can tell."""
    asked = {stem(word) for word in words(situation.question)}
    about = stems(result.name)
    if result.is_empty:
        return any(stem(word) in asked for word in words(result.name)[:1])
    if result.failed:
        return False
    if quote(result, situation).coverage >= ENOUGH:
        return True
    if about & asked or (about & LOOKING_UP and asked & TO_FIND):
        return True
    return len(result.text) <= SHORT and not files(result.text)


def answer_text(situation: Situation) -> str:
    """Answer the question from the results, or say that there is nothing to answer from."""
    results = situation.results or situation.earlier_results
    good = [result for result in results if not result.failed]
    if good:
        return f"{NAME}: {_from_results(good, situation)}"
    if results:
        failed = results[-1]
        return f"{NAME}: {failed.call} gave no answer: {_short(failed.text.strip()) or '(empty)'}"
    return f"{NAME}: {_without_results(situation)}"


def thoughts(situation: Situation) -> str:
    """Say what the stand-in looks for."""
    telling = ", ".join(keywords(situation.question)[:8])
    looking = f"I look for: {telling}." if telling else "There is nothing to look for."
    if not situation.results:
        return looking
    return (
        f"{looking} I have the result of {', '.join(result.call for result in situation.results)}."
    )


def _from_results(results: list[Result], situation: Situation) -> str:
    """Quote the results that meet the question best, and their siblings of the same tool."""
    quotes = [(result, quote(result, situation)) for result in results]
    best = max(reversed(quotes), key=lambda pair: pair[1].coverage)
    enough = ENOUGH * best[1].coverage
    chosen = [
        (result, found)
        for result, found in quotes
        if result.name == best[0].name or (found.coverage >= enough and found.coverage > 0)
    ]
    return "\n".join(_quotation(result, found) for result, found in chosen[-MAX_RESULTS:])


def _quotation(result: Result, found: Quote) -> str:
    if len(result.text) <= SHORT:
        return f"{result.call} gave:\n{result.text.strip()}"
    return f"{result.call} says:\n" + "\n".join(f"> {_short(line)}" for line in found.lines)


def _without_results(situation: Situation) -> str:
    seen = ""
    if situation.pictures:
        sizes = ", ".join("x".join(map(str, s)) if s else "unknown" for s in situation.pictures)
        count = len(situation.pictures)
        seen = f" I was given {count} picture(s) (size: {sizes}) and cannot see them."
    asked = _short(" ".join(situation.question.split()))
    return (
        f"I follow rules and know nothing by myself.{seen} You wrote: “{asked}”. With tools I "
        "call what fits these words and quote the results; for a real answer, connect a model."
    )


def _named_exactly(question: str) -> list[re.Pattern[str]]:
    """Match what the question quotes or spells as programs do, and where it is defined."""
    spelled = [re.escape(name) for name in dict.fromkeys(quoted(question) + identifiers(question))]
    matches = [rf"(?<!\w){name}(?!\w)" for name in spelled]
    matches += [rf"(?:class|def|function|const|let|type)\s+{name}(?!\w)" for name in spelled]
    return [re.compile(match) for match in matches]


def _alike(word: str) -> set[str]:
    return {word}.union(*(group for group in ALIKE if word in group))


def _digits(line: str) -> str:
    """Set numbers free of what stands around them, as in ``>=3.11``."""
    return "".join(c if c.isdigit() or c == "." else " " for c in line).replace(" .", " ")


def _short(text: str) -> str:
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"
