"""Routes that steer the swarm of a background run, by its thread: `/swarms/{thread_id}`.

Whoever may read the thread may steer its swarm. To know that, the server is asked for the thread
with the caller's own headers: so a missing key and another caller's thread are answered here as
they are by `/threads`, on LangGraph Server and on Aegra, which guard added routes differently.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from langchain_kimi.swarm.control import obey, unseen
from langchain_kimi.swarm.live_runs import Handle, running

_OF_THE_BODY = frozenset(
    {"accept-encoding", "content-encoding", "content-length", "content-type", "transfer-encoding"}
)
_UNKNOWN_CALLER = (401, 403)
_ELSEWHERE = (
    "The thread is at work, but no swarm of it is in this server process: the run has just begun, "
    "another process has it, or its graph is no background agent. Try again, or end the run."
)
_IDLE = "Nothing of the thread is at work: start a run, answer what it asks, or read its state."

swarms = APIRouter(prefix="/swarms/{thread_id}")


async def own_thread(thread_id: str, request: Request) -> dict[str, Any]:
    """Return the thread as the server shows it to the caller; refuse as the server does."""
    headers = [(name, text) for name, text in request.headers.items() if name not in _OF_THE_BODY]
    transport = httpx.ASGITransport(request.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://server", headers=headers, trust_env=False
    ) as server:
        reply = await server.get(f"/threads/{quote(thread_id, safe='')}")
    if reply.status_code in _UNKNOWN_CALLER:
        raise HTTPException(reply.status_code, "Send a valid key as `Authorization: Bearer KEY`.")
    if reply.is_server_error:
        raise HTTPException(503, "The server could not look the thread up: try again.")
    if reply.status_code != httpx.codes.OK:
        raise HTTPException(404, f"There is no thread {thread_id!r}.")
    thread: dict[str, Any] = reply.json()
    return thread


Thread = Annotated[dict[str, Any], Depends(own_thread)]


async def own_swarm(thread: Thread) -> Handle:
    """Return the handle of the caller's run; 409 where it is not at work in this process."""
    handle = running(thread["thread_id"])
    if handle is None:
        raise HTTPException(409, _ELSEWHERE if thread["status"] == "busy" else _IDLE)
    return handle


Swarm = Annotated[Handle, Depends(own_swarm)]


class Cancel(BaseModel):
    """What is to be stopped."""

    model_config = ConfigDict(extra="forbid")
    subagent: str | None = None
    """Its id; None for all."""


class Message(BaseModel):
    """What the orchestrator is told."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(min_length=1)


@swarms.get("")
async def look(thread: Thread) -> dict[str, Any]:
    """Tell the thread's status, and of a run at work here its counts, sub-agents and questions."""
    handle = running(thread["thread_id"])
    seen = unseen() if handle is None else await _asked(handle, "look")
    return {
        "thread_id": thread["thread_id"],
        "status": thread["status"],
        "at_work": handle is not None,
        **seen,
    }


@swarms.post("/cancel")
async def cancel(swarm: Swarm, what: Cancel | None = None) -> dict[str, Any]:
    """Stop one sub-agent with those that it started, or all; what they had is kept."""
    return await _asked(swarm, "cancel", what.subagent if what else None)


@swarms.post("/pause")
async def pause(swarm: Swarm) -> dict[str, Any]:
    """Begin no more steps; calls that run come to their end."""
    return await _asked(swarm, "pause")


@swarms.post("/resume")
async def resume(swarm: Swarm) -> dict[str, Any]:
    """Go on after a pause."""
    return await _asked(swarm, "resume")


@swarms.post("/send")
async def send(swarm: Swarm, message: Message) -> dict[str, Any]:
    """Tell the orchestrator something, which it reads before its next step."""
    await swarm.asend(message.text)
    return {}


async def _asked(handle: Handle, command: str, argument: str | None = None) -> dict[str, Any]:
    """Do it from a thread: the run may live in another event loop, which is waited for."""
    done = await asyncio.to_thread(obey, handle, command, argument)
    if "error" in done:
        raise HTTPException(404, done["error"])
    return done
