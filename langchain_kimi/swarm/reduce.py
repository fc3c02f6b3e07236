"""Results larger than the parent's context: map, then merge in a tree until they fit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from langchain_kimi.swarm.handover import excerpt, reference, text_of
from langchain_kimi.swarm.scheduler import Swarm
from langchain_kimi.swarm.state import AgentState

REDUCE = "reduce"
"""The kind of sub-agent that merges."""

_TASK = """The sub-agents worked on this:

{question}

Merge the results below into at most about {most} characters.

{texts}"""


class Reducer:
    """Merges texts with sub-agents of their own, which are journaled like all others.

    Args:
        swarm: Where the merging work is queued.
        chunk: Characters of results that one merge reads.
        most: Characters that the merged text may have.
    """

    def __init__(self, swarm: Swarm, *, chunk: int, most: int) -> None:
        self._swarm = swarm
        self._chunk = chunk
        self._most = most

    async def merge(self, agents: Sequence[AgentState], question: str, turn: int) -> str:
        """Return one text from many results.

        Where a merge fails, what it should have merged stands as excerpts with references.
        """
        seed = hashlib.blake2b("".join(agent.id for agent in agents).encode(), digest_size=5)
        pieces = [part for agent in agents for part in self._parts(agent)]
        plain = "\n\n".join(f"## {a.label} ({a.status}): {reference(a)}" for a in agents)
        level = 0
        while sum(map(len, pieces)) > self._most:
            level += 1
            merged = await self._level(pieces, question, turn, f"{seed.hexdigest()}-{level}")
            if sum(map(len, merged)) > 0.8 * sum(map(len, pieces)):
                room = self._most // max(1, len(agents))
                return "\n\n".join(f"## {a.label}\n{excerpt(a, room)}" for a in agents)
            pieces = merged
        sources = plain if len(plain) < self._most else f"{len(agents)} sub-agents"
        text = "\n\n".join(pieces)
        return f"{text}\n\n[Merged from {len(agents)} results; each can be opened]\n{sources}"

    def _parts(self, agent: AgentState) -> list[str]:
        text = text_of(agent) or agent.reason
        size = self._chunk // 2
        cuts = [text[start : start + size] for start in range(0, len(text), size)] or [""]
        count = len(cuts)
        return [
            f"## {agent.label} ({agent.status})"
            + (f", part {place} of {count}" if count > 1 else "")
            + f"\n{cut}"
            for place, cut in enumerate(cuts, 1)
        ]

    async def _level(self, pieces: list[str], question: str, turn: int, seed: str) -> list[str]:
        """Merge groups of neighbours, all groups at the same time."""
        groups: list[list[str]] = [[]]
        for piece in pieces:
            if groups[-1] and sum(map(len, groups[-1])) + len(piece) > self._chunk:
                groups.append([])
            groups[-1].append(piece)
        most = max(500, self._most // len(groups))
        jobs = [
            AgentState(
                id=f"{REDUCE}-{seed}-{place}",
                kind=REDUCE,
                label=f"merge {place + 1} of {len(groups)}",
                prompt=_TASK.format(question=question, most=most, texts="\n\n".join(group)),
                turn=turn,
                internal=True,
            )
            for place, group in enumerate(groups)
        ]
        self._swarm.add(jobs)
        await self._swarm.wait([job.id for job in jobs])
        agents = self._swarm.desk.state.agents
        return [
            text_of(agents[job.id]) if agents[job.id].status == "done" else "\n\n".join(group)
            for job, group in zip(jobs, groups, strict=True)
        ]
