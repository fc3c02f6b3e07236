"""Files that sub-agents make: kept beside the journal, opened by reference."""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from pydantic import BaseModel, Field

from langchain_kimi.swarm.handover import reference, text_of
from langchain_kimi.swarm.journal import RunLog
from langchain_kimi.swarm.state import RunState

_SLASH = re.compile(r"[/\\]")
_LONGEST, _DEEPEST = 100, 6


class WriteArtifact(BaseModel):
    """Save a text as a file that outlives you; others can open it by the name you get back."""

    name: str = Field(description="A file name with its ending, such as table.csv.")
    content: str


class ReadArtifact(BaseModel):
    """Open a file of a sub-agent, or its whole result (`<sub-agent id>/result`)."""

    name: str
    offset: int = Field(default=0, ge=0, description="The character to begin at.")
    limit: int = Field(default=20_000, ge=1, le=200_000, description="Characters to read.")


class ListArtifacts(BaseModel):
    """List the files of all sub-agents."""


def _parts(name: str) -> list[str]:
    """Return the parts of a file name that is good on any disk and leads nowhere else.

    Raises:
        ValueError: When nothing of it is left.
    """
    cleaned = (
        re.sub(r"[^\w .+()-]", "_", part).strip(" .")[-_LONGEST:] for part in _SLASH.split(name)
    )
    parts = [part for part in cleaned if part][-_DEEPEST:]
    if not parts:
        msg = f"{name!r} is no file name. Give one with its ending, such as table.csv."
        raise ValueError(msg)
    return parts


class Artifacts:
    """The files of one run."""

    def __init__(self, log: RunLog, state: RunState) -> None:
        self._log = log
        self._state = state

    async def write(self, agent: str, args: dict[str, Any]) -> str:
        """Save a sub-agent's file; return the name that opens it."""
        request = WriteArtifact.model_validate(args)
        name = "/".join([agent or "orchestrator", *_parts(request.name)])
        media_type = mimetypes.guess_type(name)[0] or "text/plain"
        await self._log.save(name, media_type, request.content.encode(errors="replace"))
        return f"Saved {len(request.content)} characters as {name}"

    async def read(self, args: dict[str, Any]) -> str:
        """Return a stretch of a file, and say how much there is before and after it."""
        request = ReadArtifact.model_validate(args)
        text = await self._text(request.name)
        end = request.offset + request.limit
        piece = text[request.offset : end]
        if len(piece) == len(text):
            return text
        left = max(0, len(text) - end)
        return f"{piece}\n[characters {request.offset} to {end} of {len(text)}; {left} follow]"

    async def listing(self) -> str:
        """Return the names and sizes of all files."""
        infos = await self._log.journal.artifacts(self._log.run)
        lines = [f"{info.name} ({info.media_type}, {info.size} bytes)" for info in infos]
        return "\n".join(lines) or "There are no files yet."

    async def _text(self, name: str) -> str:
        for agent in self._state.agents.values():
            if name == reference(agent):
                return text_of(agent)
        found = await self._log.journal.artifact(self._log.run, name)
        if found is None:
            msg = f"There is no file {name!r}. {await self.listing()}"
            raise FileNotFoundError(msg)
        return found[1].decode(errors="replace")
