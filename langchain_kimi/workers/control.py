"""What a worker can be asked about a run that it has at work."""

from __future__ import annotations

from typing import Any

from langchain_kimi.swarm import Handle


def obey(handle: Handle, command: str, argument: Any) -> dict[str, Any]:
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
            try:
                return {"stopped": handle.cancel(argument)}
            except KeyError:
                return {"error": f"the run has no sub-agent {argument!r}"}
        case "pause":
            handle.pause()
        case "resume":
            handle.resume()
        case "look":
            return _look(handle)
        case _:
            return {"error": f"there is no command {command!r}"}
    return {}


def _look(handle: Handle) -> dict[str, Any]:
    agents = [{"id": one.id, "kind": one.kind, "status": one.status} for one in handle.agents()]
    return {"counts": dict(handle.counts()), "agents": agents}
