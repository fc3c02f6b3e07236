"""Leading sub-agents: the parts of a task are handed out, what comes back is put together.

The tools are known by Kimi's names for them: `agent_swarm`, `assign_task`, `create_subagent`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from langchain_kimi.testing.script import Call
from langchain_kimi.testing.standin.answer import NAME
from langchain_kimi.testing.standin.choice import SWARM_TOOLS
from langchain_kimi.testing.standin.documents import BY_WORDS
from langchain_kimi.testing.standin.parts import ITEM, Parts, listing_of, parts_by_listing, parts_of
from langchain_kimi.testing.standin.situation import Result, Situation

SWARM, ASSIGN, CREATE = "agent_swarm", "assign_task", "create_subagent"
HELPER = "helper"
SYSTEM_PROMPT = "You do one part of a task and answer with what you found."
MOST_TOGETHER = 16
MOST_OF_ONE = 2_000
SECTION = re.compile(r"^## (?:\d+\. )?(.*)$", re.MULTILINE)
KIND = re.compile(r"^- ([\w.-]+): ", re.MULTILINE)
ENDING = re.compile(r"\s*\[[\w./-]+: done in \d+ steps?\]\s*$")


def hand_out(situation: Situation, *, parallel: bool) -> list[Call] | None:
    """Hand the task out; none when it is done with; None when there is nobody to hand it to."""
    tools = {str(t["function"].get("name")): t["function"] for t in situation.request.tools}
    if not tools.keys() & {SWARM, ASSIGN}:
        return None
    alone = tools.keys() <= SWARM_TOOLS
    parts = _parts(situation, alone=alone)
    if parts is None:
        return None
    if SWARM in tools and (len(parts.items) > 1 or ASSIGN not in tools):
        if _made(situation, SWARM):
            return []
        about = " ".join(situation.question.split())[:80]
        items = {"prompt_template": parts.template, "items": parts.items}
        kind = _declared_kind(tools[SWARM])
        chosen = {"subagent_type": kind} if kind else {}
        return [Call(SWARM, {"description": about, **items, **chosen})]
    return _one_call_each(situation, parts, tools, parallel=parallel)


def _parts(situation: Situation, *, alone: bool) -> Parts | None:
    """Take the task apart; the leader of a swarm who has no tools of its own hands all out."""
    task = situation.question
    parts = parts_of(task)
    if parts is not None or not alone or not task.strip():
        return parts
    listing = listing_of(task)
    if listing is None:
        return Parts(ITEM, [task])
    known = [result for result in situation.results if _lists(result, listing)]
    found = parts_by_listing(task, known[0].text) if known else None
    return found if found is not None and found.items else Parts(ITEM, [listing])


def _lists(result: Result, listing: str) -> bool:
    return listing in (result.arguments.get("prompt"), *result.arguments.get("items", ()))


def _one_call_each(
    situation: Situation, parts: Parts, tools: Mapping[str, Mapping[str, Any]], *, parallel: bool
) -> list[Call]:
    calls = []
    kind = _declared_kind(tools[ASSIGN])
    if not kind and CREATE in tools and not _made(situation, CREATE):
        calls.append(Call(CREATE, {"name": HELPER, "system_prompt": SYSTEM_PROMPT}))
    agent = kind or (HELPER if CREATE in tools else _first_kind(tools[ASSIGN]))
    asked = {str(result.arguments.get("prompt")) for result in _made(situation, ASSIGN)}
    prompts = [parts.template.replace(ITEM, item) for item in parts.items]
    calls += [Call(ASSIGN, {"agent": agent, "prompt": p}) for p in prompts if p not in asked]
    return calls[: MOST_TOGETHER if parallel else 1]


def joined_answer(situation: Situation) -> str | None:
    """Put what the sub-agents found one after the other; None when there were none."""
    told = [result for result in situation.results if result.name in (SWARM, ASSIGN)]
    listing = listing_of(situation.question)
    if listing is not None and len(told) > 1:
        told = [result for result in told if not _lists(result, listing)]
    sections = [section for result in told for section in _sections(result)]
    if not sections:
        return None
    found = "\n\n".join(f"## {_plain(head)}\n{_without_name(text)}" for head, text in sections)
    return (
        f"{NAME}: I follow rules. I handed out {len(sections)} part(s), and put what came back "
        f"one after the other; for a real answer, connect a model.\n\n{found}"
    )


def _sections(result: Result) -> list[tuple[str, str]]:
    """Part the answer of `agent_swarm` by its headings; one task's answer is one section."""
    pieces = SECTION.split(result.text) if result.name == SWARM else []
    if len(pieces) > 2:
        return list(zip(pieces[1::2], pieces[2::2], strict=True))
    asked = result.arguments.get("prompt") or result.arguments.get("description") or result.name
    return [(" ".join(str(asked).split())[:80], result.text)]


def _plain(head: str) -> str:
    """Keep `__init__.py` from becoming bold."""
    return re.sub(r"([*_`])", r"\\\1", head)


def _without_name(text: str) -> str:
    text = ENDING.sub("", text.strip()).removeprefix(f"{NAME}: ")
    text = text.removeprefix(BY_WORDS).lstrip()
    cut = len(text) - MOST_OF_ONE
    return text if cut <= 0 else f"{text[:MOST_OF_ONE]}\n[… {cut} more characters]"


def _made(situation: Situation, name: str) -> list[Result]:
    return [result for result in situation.results if result.name == name]


def _declared_kind(function: Mapping[str, Any]) -> str:
    """Return the only kind that the description lists beside the general one, else nothing."""
    kinds = KIND.findall(str(function.get("description") or ""))
    special = [kind for kind in kinds if kind != "general"]
    return special[0] if len(special) == 1 else ""


def _first_kind(function: Mapping[str, Any]) -> str:
    schema = (function.get("parameters") or {}).get("properties", {}).get("agent") or {}
    return str((schema.get("enum") or ["general"])[0])
