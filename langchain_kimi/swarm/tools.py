"""The tools of the swarm itself, in the shapes that Kimi knows, and what answers them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field

from langchain_kimi.swarm.artifacts import Artifacts, ListArtifacts, ReadArtifact, WriteArtifact
from langchain_kimi.swarm.backend import JournalError
from langchain_kimi.swarm.failures import describe
from langchain_kimi.swarm.handover import excerpt, text_of
from langchain_kimi.swarm.plan import Plan
from langchain_kimi.swarm.reduce import Reducer
from langchain_kimi.swarm.scheduler import Swarm
from langchain_kimi.swarm.state import AgentState
from langchain_kimi.swarm.subagents import SubAgent

_MOST_TOLD = 50
GENERAL = "general"
"""The kind that does what no declared kind is for, and what `create_subagent` defines."""


class CreateSubagent(BaseModel):
    """Define a sub-agent that you can use again and again: a name and its system prompt."""

    name: str
    system_prompt: str


class AssignTask(BaseModel):
    """Give one task to a sub-agent and get its result.

    Several calls in one turn run at the same time: hand out all that is independent together.
    """

    agent: str = Field(description="A kind of sub-agent, or a name that you defined.")
    prompt: str = Field(description="All that the sub-agent needs to know.")


class AgentSwarm(BaseModel):
    """Start one sub-agent for each item, all at the same time, from one prompt template."""

    description: str = Field(description="What the swarm is for, in a few words.")
    prompt_template: str = Field(
        default="{{item}}", description="The prompt; {{item}} stands for the item."
    )
    items: list[str] = Field(default_factory=list)
    subagent_type: str = Field(default="", description="A kind of sub-agent, or a defined name.")
    resume_agent_ids: list[str] = Field(
        default_factory=list,
        description="Ids of earlier sub-agents to continue: told `prompt_template`, with {{item}} "
        "replaced by their own label.",
    )


_SPAWNING: dict[str, type[BaseModel]] = {
    "create_subagent": CreateSubagent,
    "assign_task": AssignTask,
    "agent_swarm": AgentSwarm,
    "run_plan": Plan,
}
_FILES: dict[str, type[BaseModel]] = {
    "write_artifact": WriteArtifact,
    "read_artifact": ReadArtifact,
    "list_artifacts": ListArtifacts,
}


def schemas(kinds: Sequence[SubAgent], *, spawning: bool) -> list[dict[str, Any]]:
    """Return the schemas of the swarm's tools; the kinds stand in the description."""
    listed = "\n".join(f"- {kind.name}: {kind.description}" for kind in kinds if not kind.internal)
    tools = {**_SPAWNING, **_FILES} if spawning else _FILES
    found = []
    for name, model in tools.items():
        schema = convert_to_openai_tool(model)
        schema["function"]["name"] = name
        if name in ("assign_task", "agent_swarm", "run_plan"):
            text = f"{schema['function']['description']}\n\nKinds of sub-agents:\n{listed}"
            schema["function"]["description"] = text
        found.append(schema)
    return found


@dataclass(slots=True)
class _Work:
    """What one tool call started: sub-agents in the order in which it named them."""

    name: str
    question: str
    agents: list[AgentState] = field(default_factory=list)
    error: str = ""


class Fanout:
    """Answers the swarm's tools: starts the sub-agents of one reply together, reports on each.

    Args:
        swarm: Where the work is queued.
        kinds: The declared kinds, by name.
        artifacts: The files of the run.
        definitions: What `create_subagent` defined so far: names and system prompts.
        turn: The number of the orchestrator's turn.
        most_characters: What the results of one reply may take in the parent's context.
        chunk: Characters of results that one merging sub-agent reads.
    """

    names = frozenset({*_SPAWNING, *_FILES})

    def __init__(
        self,
        swarm: Swarm,
        kinds: Mapping[str, SubAgent],
        artifacts: Artifacts,
        *,
        definitions: dict[str, str],
        turn: Callable[[], int],
        most_characters: int,
        chunk: int,
    ) -> None:
        self._swarm = swarm
        self._kinds = kinds
        self._artifacts = artifacts
        self._definitions = definitions
        self._turn = turn
        self._most = most_characters
        self._reducer = Reducer(swarm, chunk=chunk, most=most_characters)

    async def answer(
        self, reply: AIMessage, calls: Sequence[ToolCall], agent: AgentState | None
    ) -> list[ToolMessage]:
        """Answer the calls of one reply, in their order."""
        for call in calls:
            if call["name"] == "create_subagent":
                self.define(call)
        works = [await self._start(reply, place, call, agent) for place, call in enumerate(calls)]
        ids = {one.id for work in works if work is not None for one in work.agents}
        if ids:
            waiting = nullcontext() if agent is None else self._swarm.parked(agent.id)
            async with waiting:
                await self._swarm.wait(ids)
            if agent is not None:
                self._lengthen(agent, ids)
        spawned = max(1, sum(1 for work in works if work is not None))
        return list(
            await asyncio.gather(
                *(
                    self._tell(call, work, self._most // spawned, agent)
                    for call, work in zip(calls, works, strict=True)
                )
            )
        )

    def define(self, call: ToolCall) -> None:
        """Keep what a `create_subagent` call defines; what is wrong with it is told later."""
        with suppress(ValueError):
            request = self._definition(call)
            self._definitions[request.name] = request.system_prompt

    def _definition(self, call: ToolCall) -> CreateSubagent:
        request = CreateSubagent.model_validate(call["args"])
        if request.name in self._kinds or not request.name.strip():
            msg = f"{request.name!r} cannot be defined: choose a name that no kind has."
            raise ValueError(msg)
        return request

    async def _start(
        self, reply: AIMessage, place: int, call: ToolCall, parent: AgentState | None
    ) -> _Work | None:
        """Queue what a call asks for; None for a call that starts nothing."""
        model = _SPAWNING.get(call["name"])
        if model is None or model is CreateSubagent:
            return None
        depth = 1 if parent is None else parent.depth + 1
        if depth > self._swarm.desk.ledger.budget.depth:
            return _Work(call["name"], "", error="Sub-agents may not start others here.")
        who = f"{parent.id}\0{parent.usage.steps}" if parent else ""
        seed = f"{who}\0{reply.id}\0{place}"
        try:
            request = model.model_validate(call["args"])
            work = await self._queue(request, seed)
        except (ValueError, LookupError) as error:
            return _Work(call["name"], "", error=str(error))
        base = 0
        if parent is not None:
            base = parent.path_steps + parent.usage.steps - parent.offset_steps
        known = self._swarm.desk.state.agents
        new = {one.id: one for one in work.agents if one.id not in known}
        for one in new.values():
            one.depth, one.parent, one.path_steps = depth, parent.id if parent else "", base
            one.turn = self._turn()
        self._swarm.add(new.values())
        work.agents = [known[one.id] for one in work.agents]
        return work

    async def _queue(self, request: BaseModel, seed: str) -> _Work:
        if isinstance(request, AssignTask):
            # The seed leaves the place out: the same task given twice in a turn runs once.
            one = self._agent(request.agent, request.prompt, seed.rsplit("\0", 1)[0])
            return _Work("assign_task", request.prompt, [one])
        if isinstance(request, AgentSwarm):
            return await self._swarm_of(request, seed)
        if isinstance(request, Plan):
            return self._plan_of(request, seed)
        msg = f"{type(request).__name__} starts no sub-agents."
        raise TypeError(msg)

    async def _swarm_of(self, request: AgentSwarm, seed: str) -> _Work:
        if not request.items and not request.resume_agent_ids:
            msg = "agent_swarm needs items, or resume_agent_ids."
            raise ValueError(msg)
        if len(set(request.items)) > 1 and "{{item}}" not in request.prompt_template:
            msg = "The prompt_template must hold {{item}} when there are several items."
            raise ValueError(msg)
        agents = [await self._again(i, request.prompt_template) for i in request.resume_agent_ids]
        for item in request.items:
            prompt = request.prompt_template.replace("{{item}}", item)
            agents.append(self._agent(request.subagent_type, prompt, seed, label=item))
        return _Work("agent_swarm", request.description, agents)

    async def _again(self, agent_id: str, template: str) -> AgentState:
        known = self._swarm.desk.state.agents.get(agent_id)
        if known is None:
            msg = f"There is no sub-agent {agent_id!r} to continue."
            raise LookupError(msg)
        prompt = "Go on." if template == "{{item}}" else template.replace("{{item}}", known.label)
        await self._swarm.again(known, prompt, self._turn())
        return known

    def _plan_of(self, plan: Plan, seed: str) -> _Work:
        agents: dict[str, AgentState] = {}
        for task in plan.order():
            one = self._agent(task.agent, task.prompt, f"{seed}\0{task.id}", label=task.id)
            one.needs = tuple(agents[need].id for need in task.needs)
            agents[task.id] = one
        return _Work("run_plan", "a plan", [agents[task.id] for task in plan.tasks])

    def _agent(self, kind: str, prompt: str, seed: str, *, label: str = "") -> AgentState:
        """Describe a sub-agent; its id follows from who asked, in which reply, for what."""
        system = self._definitions.get(kind, "")
        name = GENERAL if system or not kind else kind
        if name not in self._kinds or self._kinds[name].internal:
            there = [n for n, k in self._kinds.items() if not k.internal]
            named = ", ".join([*there, *self._definitions])
            msg = f"There is no kind of sub-agent {kind!r}. There are: {named}."
            raise LookupError(msg)
        digest = hashlib.blake2b(
            f"{seed}\0{kind}\0{prompt}".encode(errors="replace"), digest_size=5
        ).hexdigest()
        slug = re.sub(r"[^a-z0-9]+", "-", (kind or label).lower()).strip("-")[:24] or GENERAL
        short = " ".join((label or prompt).split())[:60]
        return AgentState(f"{slug}-{digest}", name, short, prompt, system=system)

    def _lengthen(self, parent: AgentState, ids: set[str]) -> None:
        """Put the longest of a sub-agent's own sub-agents on its path."""
        agents = self._swarm.desk.state.agents
        longest = max(agents[one].path_steps for one in ids)
        own = parent.usage.steps - parent.offset_steps
        parent.path_steps = max(parent.path_steps, longest - own)

    async def _tell(
        self, call: ToolCall, work: _Work | None, room: int, agent: AgentState | None
    ) -> ToolMessage:
        status = "success"
        try:
            text = await self._text(call, work, room, agent)
        except JournalError:
            raise
        except Exception as error:  # noqa: BLE001 - the model is told what was wrong
            text, status = describe(error), "error"
        if work is not None and work.error:
            status = "error"
        return ToolMessage(text, tool_call_id=call["id"] or "", name=call["name"], status=status)

    async def _text(
        self, call: ToolCall, work: _Work | None, room: int, agent: AgentState | None
    ) -> str:
        if work is not None:
            return work.error or await self._report(work, room)
        if call["name"] == "create_subagent":
            return f"Defined {self._definition(call).name}."
        if call["name"] == "write_artifact":
            return await self._artifacts.write(agent.id if agent else "", call["args"])
        if call["name"] == "read_artifact":
            return await self._artifacts.read(call["args"])
        return await self._artifacts.listing()

    async def _report(self, work: _Work, room: int) -> str:
        """Tell the parent how each sub-agent ended, in the room that there is."""
        if work.name == "assign_task":
            return _one(work.agents[0], room)
        distinct = {agent.id: agent for agent in work.agents}
        ended = [agent for agent in distinct.values() if agent.status != "done"]
        done = len(distinct) - len(ended)
        head = f"{done} of {len(distinct)} sub-agents are done"
        counts = sorted({a.status for a in ended})
        head += "".join(f", {sum(a.status == s for a in ended)} {s}" for s in counts) + "."
        if sum(len(text_of(agent)) + 80 for agent in distinct.values()) > room:
            had = [agent for agent in distinct.values() if text_of(agent)]
            merged = await self._reducer.merge(had, work.question, self._turn()) if had else ""
            return "\n\n".join(part for part in (head, _ended_badly(ended), merged) if part)
        told: dict[str, int] = {}
        parts = [head]
        for place, agent in enumerate(work.agents, 1):
            if agent.id in told:
                parts.append(f"## {place}. {agent.label}\nThe same as {told[agent.id]}.")
                continue
            told[agent.id] = place
            parts.append(f"## {place}. {agent.label}\n{_one(agent, room)}")
        return "\n\n".join(parts)


def _ended_badly(agents: Sequence[AgentState]) -> str:
    """Tell who did not come to a good end, with the reason; of very many the first ones."""
    lines = [f"- {a.label} ({a.id}): {a.status}, {a.reason}" for a in agents[:_MOST_TOLD]]
    if len(agents) > _MOST_TOLD:
        lines.append(f"- … and {len(agents) - _MOST_TOLD} more")
    return "\n".join(lines)


def _one(agent: AgentState, room: int) -> str:
    """Return a sub-agent's result with its id, or why it has none and what it had."""
    if agent.status == "done":
        return f"{excerpt(agent, room)}\n[{agent.id}: done in {agent.usage.steps} steps]"
    had = excerpt(agent, room)
    had = f"\nWhat it had:\n{had}" if had else ""
    return f"[{agent.id}: {agent.status} after {agent.usage.steps} steps: {agent.reason}]{had}"
