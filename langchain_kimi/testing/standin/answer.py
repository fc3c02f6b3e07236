"""Answering from tool results: the lines that share the question's words, quoted."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass

from langchain_kimi.testing.standin.signs import (
    ABOUT_ALL,
    ASKING_A_NUMBER,
    LOOKING_UP,
    TO_FIND,
    alike,
)
from langchain_kimi.testing.standin.situation import Result, Situation
from langchain_kimi.testing.standin.words import (
    NUMBER,
    all_stems,
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
MAX_LISTED = 100
LISTING = frozenset({"list"})
CLOSE = 0.75


@dataclass(frozen=True)
class Quote:
    """Lines of a result, and how many of the question's words they meet (0 to 1)."""

    lines: list[str]
    coverage: float


def quote(result: Result, situation: Situation) -> Quote:
    """Find the lines of a result that answer the question best."""
    wanted, lines = situation.keywords, result.lines
    if wanted <= ABOUT_ALL and "readme" in result.call.lower():
        return Quote([line for line in lines if stems(line)][:MAX_LINES], 1.0)
    scores = _line_scores(lines, situation)
    best = max(scores, default=0.0)
    if best <= 0:
        return Quote(lines[:MAX_LINES], 0.0)
    top = sorted(range(len(lines)), key=lambda number: (-scores[number], number))[:MAX_LINES]
    kept = [lines[number] for number in sorted(top) if scores[number] >= CLOSE * best]
    met = set().union(*map(stems, kept))
    return Quote(kept, sum(bool(alike(word) & met) for word in wanted) / max(1, len(wanted)))


def _line_scores(lines: list[str], situation: Situation) -> list[float]:
    """Score lines by the question's words in them; rare words and exact names count most."""
    wanted = [alike(word) for word in situation.keywords]
    in_line = [stems(line) for line in lines]
    frequency = Counter(word for found in in_line for word in found)
    exact = _named_exactly(situation.question)
    asks_a_number = bool(situation.keywords & ASKING_A_NUMBER)
    scores = []
    for line, found in zip(lines, in_line, strict=True):
        met = (max((_weight(frequency[w]) for w in group & found), default=0) for group in wanted)
        score = sum(met) + sum(named.search(line) is not None for named in exact)
        has_number = asks_a_number and NUMBER.search(_digits(line)) is not None
        scores.append(score + 0.3 if score and has_number else score)
    return scores


def _weight(frequency: int) -> float:
    return 1 / (1 + math.log(frequency))


def settles(result: Result, situation: Situation) -> bool:
    """Tell whether a result settles the question, as far as words can tell."""
    asked = all_stems(situation.question)
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
    asked = LISTING & all_stems(situation.question)
    return "\n".join(
        _quotation(result, found, lists=bool(asked & all_stems(result.name)))
        for result, found in chosen[-MAX_RESULTS:]
    )


def _quotation(result: Result, found: Quote, *, lists: bool) -> str:
    if len(result.text) <= SHORT:
        return f"{result.call} gave:\n{result.text.strip()}"
    if lists:
        return f"{result.call} gave:\n" + "\n".join(map(_short, result.lines[:MAX_LISTED]))
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


def _digits(line: str) -> str:
    """Set numbers free of what stands around them, as in ``>=3.11``."""
    return "".join(c if c.isdigit() or c == "." else " " for c in line).replace(" .", " ")


def _short(text: str) -> str:
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"
