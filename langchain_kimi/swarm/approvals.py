"""What a run at work asks a person, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_kimi.swarm.agent import check_decisions
from langchain_kimi.swarm.live_runs import Handle

_OVER = "Whoever asked has ended."


def open_ids(handle: Handle) -> set[str]:
    """Return the ids of all requests that wait for a person."""
    return {question.request.key for question in handle.questions()}


def asked(handle: Handle) -> dict[str, Any] | None:
    """Return all requests that wait, whichever sub-agent made them and when.

    Returns:
        The schema of `HumanInTheLoopMiddleware`, with `ids`: one for each request, in their order.
        None when there are none.
    """
    requests = [question.request for question in handle.questions()]
    if not requests:
        return None
    return {
        "ids": [one.key for one in requests],
        "action_requests": [
            {"name": one.name, "args": one.args, "description": one.description} for one in requests
        ],
        "review_configs": [
            {"action_name": name, "allowed_decisions": list(allowed)}
            for name, allowed in {one.name: one.allowed for one in requests}.items()
        ],
    }


def decide(handle: Handle, decisions: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Give decisions to those who asked; all of them, or none where one cannot be given.

    Args:
        handle: The run.
        decisions: By the request's id.

    Returns:
        `{}`, or `{"error": …}`.
    """
    requests = {question.request.key: question.request for question in handle.questions()}
    for key, decision in decisions.items():
        if key not in requests:
            return {"error": f"the run does not ask for {key!r}: it was answered, or has ended"}
        one = requests[key]
        config = {"action_name": one.name, "allowed_decisions": one.allowed}
        request = {"action_requests": [{"name": one.name}], "review_configs": [config]}
        try:
            check_decisions(request, [decision])
        except ValueError as error:
            return {"error": str(error)}
    for key, decision in decisions.items():
        handle.decide(key, dict(decision))
    return {}


def refuse_all(handle: Handle) -> None:
    """Refuse whatever is still asked of a run that was cancelled."""
    for question in handle.questions():
        handle.decide(question.request.key, refusal(question.request.allowed))


def refusal(allowed: tuple[str, ...] | list[str]) -> dict[str, Any]:
    """Return the answer to a request that nobody waits for any more."""
    kind = next((kind for kind in ("reject", "respond") if kind in allowed), allowed[0])
    return {"type": kind, "message": _OVER}


def waits_only(handle: Handle) -> bool:
    """Whether nothing of a run is at work but what waits for a person."""
    asking = {question.request.agent for question in handle.questions()}
    at_work = {one.id for one in handle.agents() if one.status == "running"}
    return bool(asking) and at_work <= asking
