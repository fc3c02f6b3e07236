"""What can be asked about a run at work from outside its process: by a queue, by a server."""

from __future__ import annotations

from typing import Any

from langchain_kimi.swarm.approvals import asked, refuse_all
from langchain_kimi.swarm.live_runs import Handle


def obey(handle: Handle, command: str, argument: Any = None) -> dict[str, Any]:
    """Do what is asked.

    Args:
        handle: The run.
        command: `cancel` (argument: a sub-agent's id, None for all), `pause`, `resume`, or `look`.
        argument: What goes with it.

    Returns:
        The answer as plain data; `{"error": …}` where it cannot be done.
    """
    match command:
        case "cancel":
            return _cancel(handle, argument)
        case "pause":
            handle.pause()
        case "resume":
            handle.resume()
        case "look":
            return _look(handle)
        case _:
            return {"error": f"there is no command {command!r}"}
    return {}


def unseen(*, paused: bool = False) -> dict[str, Any]:
    """Return what `look` answers about a run of which nothing is at work."""
    return {"counts": {}, "agents": [], "asked": None, "paused": paused}


def _cancel(handle: Handle, agent: str | None) -> dict[str, Any]:
    try:
        stopped = handle.cancel(agent)
    except KeyError:
        return {"error": f"the run has no sub-agent {agent!r}"}
    if agent is None:
        refuse_all(handle)
    return {"stopped": stopped}


def _look(handle: Handle) -> dict[str, Any]:
    agents = [
        {
            "id": one.id,
            "kind": one.kind,
            "label": one.label,
            "status": one.status,
            "steps": one.usage.steps,
            "tokens": one.usage.tokens,
        }
        for one in handle.agents()
    ]
    return {
        "counts": dict(handle.counts()),
        "agents": agents,
        "asked": asked(handle),
        "paused": handle.is_paused(),
    }
