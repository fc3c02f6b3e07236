"""Choosing a tool: by its words, and by whether its arguments can be filled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_kimi.testing.standin import words as take
from langchain_kimi.testing.standin.arguments import Evidence, Filler
from langchain_kimi.testing.standin.situation import Situation
from langchain_kimi.testing.standin.vocabulary import (
    ACTIONS,
    LOOK_UP,
    OVERVIEW,
    SIDE_EFFECTS,
)
from langchain_kimi.testing.standin.words import stem, stems

ACTING = frozenset(stem(word) for word in SIDE_EFFECTS)
LOOKING_UP = frozenset(stem(word) for word in LOOK_UP)
ABOUT_ALL = frozenset(stem(word) for word in OVERVIEW)
VAGUE = frozenset({"what", "which"})
ENOUGH = 2.0


@dataclass(frozen=True)
class Candidate:
    """A call that could be made, and how much speaks for it."""

    name: str
    arguments: Mapping[str, Any]
    score: float
    named: frozenset[str]
    """Stems of the tool's name that the question uses."""
    evidence: Evidence


@dataclass(frozen=True)
class Tool:
    """A declared tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    @cached_property
    def name_stems(self) -> frozenset[str]:
        """Stems of the words of its name."""
        return frozenset(stem(word) for word in take.words(self.name))

    @property
    def takes_the_answer(self) -> bool:
        """Whether it looks made of a class (``Answer``), to be filled with the answer."""
        return self.name[:1].isupper()

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its parameters."""
        return self.parameters.get("properties") or {}


def declared_tools(situation: Situation) -> list[Tool]:
    """Read the tools of a request; a choice by name leaves only that one."""
    request = situation.request
    tools = [
        Tool(
            str(function.get("name")),
            str(function.get("description") or ""),
            function.get("parameters") or {},
        )
        for tool in request.tools
        if (function := tool.get("function"))
    ]
    return [t for t in tools if request.named_tool in (None, t.name)]


def candidates(situation: Situation, *, forced: bool = False) -> list[Candidate]:
    """List the calls worth making, best first; forced ones need no reason.

    When nothing speaks for any call, a question is looked up where there is a tool for it.
    """
    found = [
        candidate
        for tool in declared_tools(situation)
        if forced or _is_wanted(tool, situation)
        for candidate in _calls_of(tool, situation, forced=forced)
        if not situation.was_called(candidate.name, candidate.arguments)
    ]
    worth = [c for c in found if forced or c.score >= ENOUGH]
    if not worth and situation.is_question:
        worth = [c for c in found if LOOKING_UP & {stem(word) for word in take.words(c.name)}]
    return sorted(worth, key=lambda candidate: -candidate.score)


def _calls_of(tool: Tool, situation: Situation, *, forced: bool) -> Iterator[Candidate]:
    named = tool.name_stems & _all_stems(situation.question)
    words_score = _word_score(tool, situation)
    for arguments, evidence in _fillings(tool, situation, forced=forced):
        score = words_score + _evidence_score(tool, evidence)
        yield Candidate(tool.name, arguments, score, named, evidence)


def _is_wanted(tool: Tool, situation: Situation) -> bool:
    """Tools that change something are only called when the question says so."""
    acting = tool.name_stems & ACTING
    if not acting:
        return True
    asked = _all_stems(situation.question)
    return bool(acting & asked) or any(asked & _action_stems(word) for word in acting)


def _fillings(
    tool: Tool, situation: Situation, *, forced: bool
) -> Iterator[tuple[dict[str, Any], Evidence]]:
    """Fill a tool's arguments; one string parameter may be filled in several ways."""
    filler = _filler(tool, situation, forced=forced)
    required = tool.parameters.get("required") or []
    if len(required) == 1 and not forced:
        name = required[0]
        schema = tool.properties.get(name) or {}
        if schema.get("type") == "string" and not schema.get("enum"):
            values = filler.candidates(name, schema)
            if len(values) > 1:
                yield from (({name: value}, Evidence.STRONG) for value in values)
                return
    filled = filler.fill(tool.name, {**tool.parameters, "type": "object"})
    if filled is not None and all(name in filled.value for name in required):
        yield filled.value, filled.evidence


def _filler(tool: Tool, situation: Situation, *, forced: bool) -> Filler:
    text = situation.question
    if forced and tool.takes_the_answer:
        results = (result.text for result in situation.results if not result.failed)
        text = "\n".join([text, *results])
    return Filler(
        text=text,
        root=tool.parameters,
        found_files=found_files(situation),
        on_trail=bool(situation.results),
        tool_words=frozenset(word.lower() for word in take.words(tool.name)),
        made_up=(lambda name: f"stand-in {name}") if forced else None,
    )


def found_files(situation: Situation) -> list[str]:
    """List files seen in results and earlier calls, those nearest to the question first."""
    scores: dict[str, float] = {}
    read = {str(v) for r in situation.results for v in r.arguments.values()}
    for result in situation.results:
        for line in result.text.splitlines()[:2000]:
            for path in take.files(line):
                overlap = len(stems(line) & situation.keywords) + len(
                    stems(path) & situation.keywords
                )
                scores[path] = scores.get(path, 0) + overlap
    if situation.keywords & ABOUT_ALL:
        for path in scores:
            if path.rpartition("/")[2].lower().startswith("readme"):
                scores[path] += 3
    relevant = {path: score for path, score in scores.items() if score > 0 and path not in read}
    from_results = sorted(relevant, key=lambda path: (-relevant[path], len(path), path))
    return from_results or ([] if situation.results else _files_before(situation))


def _files_before(situation: Situation) -> list[str]:
    """List the files that earlier calls named, the latest first."""
    values = (
        str(value)
        for result in reversed(situation.earlier_results)
        for value in result.arguments.values()
    )
    return [value for value in values if take.FILE.fullmatch(value)]


def _word_score(tool: Tool, situation: Situation) -> float:
    """Count the words that question and tool share, those of the name most."""
    asked = _all_stems(situation.question)
    telling = stems(situation.question)
    score = 3.0 * len(tool.name_stems & asked)
    actions = asked & {word for name in tool.name_stems for word in _action_stems(name)}
    score += 0.5 if actions and actions <= VAGUE else min(2.0, 2.0 * len(actions))
    score += min(3, len(telling & stems(tool.description)))
    for name, schema in tool.properties.items():
        score += 0.5 * bool(telling & (stems(name) | stems(str(schema.get("description", "")))))
        score += 3.0 * any(stems(str(value)) & telling for value in schema.get("enum") or ())
    return score


def _evidence_score(tool: Tool, evidence: Evidence) -> float:
    """Weigh how well the arguments are supported; a tool that needs none loses nothing."""
    score = {Evidence.STRONG: 3.0, Evidence.WEAK: 0.5, Evidence.NONE: -1.5}[evidence]
    return score if tool.parameters.get("required") else max(0.0, score)


def _action_stems(word: str) -> set[str]:
    meant = next((actions for name, actions in ACTIONS.items() if stem(name) == word), ())
    return {stem(action) for action in meant}


def _all_stems(text: str) -> set[str]:
    return set(map(stem, _lower(take.words(text))))


def _lower(words: Iterable[str]) -> Iterator[str]:
    return (word.lower() for word in words)
