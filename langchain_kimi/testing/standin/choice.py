"""Choosing a tool: by its words, and by whether its arguments can be filled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_kimi.testing.standin.arguments import Evidence, Filler
from langchain_kimi.testing.standin.schemas import in_objects
from langchain_kimi.testing.standin.signs import ACTING, LOOKING_UP, MEANT_BY
from langchain_kimi.testing.standin.situation import Situation
from langchain_kimi.testing.standin.words import all_stems, stem_set, stems, words

SWARM_TOOLS = frozenset(
    {
        "agent_swarm",
        "assign_task",
        "create_subagent",
        "list_artifacts",
        "read_artifact",
        "run_plan",
        "write_artifact",
    }
)
"""Tools of a swarm: for its leader, and for files that the task calls artifacts."""
ARTIFACT = stem_set(("artifact",))
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
        return frozenset(all_stems(self.name))

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
            in_objects(function.get("parameters") or {}),
        )
        for tool in request.tools
        if (function := tool.get("function"))
    ]
    if request.named_tool is not None:
        return [t for t in tools if t.name == request.named_tool]
    asked = all_stems(situation.question)
    return [t for t in tools if t.name not in SWARM_TOOLS or t.name_stems & asked & ARTIFACT]


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
        worth = [c for c in found if LOOKING_UP & all_stems(c.name)]
    return sorted(worth, key=lambda candidate: -candidate.score)


def _calls_of(tool: Tool, situation: Situation, *, forced: bool) -> Iterator[Candidate]:
    named = tool.name_stems & all_stems(situation.question)
    words_score = _word_score(tool, situation)
    for arguments, evidence in _fillings(tool, situation, forced=forced):
        score = words_score + _evidence_score(tool, evidence)
        yield Candidate(tool.name, arguments, score, named, evidence)


def _is_wanted(tool: Tool, situation: Situation) -> bool:
    """Tools that change something are only called when the question says so."""
    acting = tool.name_stems & ACTING
    if not acting:
        return True
    asked = all_stems(situation.question)
    return bool(acting & asked) or any(asked & MEANT_BY.get(word, frozenset()) for word in acting)


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
        found_files=situation.found_files,
        on_trail=bool(situation.results),
        tool_words=frozenset(word.lower() for word in words(tool.name)),
        made_up=(lambda name: f"stand-in {name}") if forced else None,
    )


def _word_score(tool: Tool, situation: Situation) -> float:
    """Count the words that question and tool share, those of the name most."""
    asked = all_stems(situation.question)
    telling = stems(situation.question)
    score = 3.0 * len(tool.name_stems & asked)
    actions = asked & frozenset().union(*(MEANT_BY.get(word, ()) for word in tool.name_stems))
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
