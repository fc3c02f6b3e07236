"""How a run of the queue stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from dbos import DBOSClient, PortableWorkflowError, WorkflowStatus

from langchain_kimi.workers import engine

State = Literal["queued", "running", "ended", "failed", "cancelled"]

STATES: dict[str, State] = {
    "DELAYED": "queued",
    "ENQUEUED": "queued",
    "PENDING": "running",
    "SUCCESS": "ended",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}
"""By the engine's word for it."""


@dataclass(frozen=True, kw_only=True)
class RunStatus:
    """How a run of the queue stands."""

    id: str
    state: State
    task: str
    worker: str | None
    """Who has it, or had it last."""
    submitted: datetime
    begun: datetime | None
    """When it was taken from the queue, the last time."""
    ended: datetime | None
    outcome: dict[str, Any] | None
    """`status`, `result`, `missing` and `usage`, and `webhook` where one was named."""
    error: str | None


def found_in(client: DBOSClient, run: str) -> WorkflowStatus:
    """Return what the engine keeps of a run.

    Raises:
        KeyError: There is no such run.
    """
    found = client.list_workflows(workflow_ids=[run])
    if not found:
        msg = f"the queue has no run {run!r}"
        raise KeyError(msg)
    return found[0]


def status_of(found: WorkflowStatus) -> RunStatus:
    """Read how a run stands from what the engine keeps of it."""
    given: Any = found.input or {}
    args: Any = given.get("args") or ({}, {"task": {}})
    task = args[0] if found.name == engine.RUN else args[1]["task"]
    return RunStatus(
        id=found.workflow_id,
        state=STATES[found.status],
        task=str(task.get("task", "")),
        worker=found.executor_id,
        submitted=_time(found.created_at) or datetime.now(UTC),
        begun=_time(found.dequeued_at),
        ended=_time(found.completed_at),
        outcome=found.output if isinstance(found.output, dict) else None,
        error=None if found.error is None else _words(found.error),
    )


def _words(error: Exception) -> str:
    name = error.name if isinstance(error, PortableWorkflowError) else type(error).__name__
    return f"{name}: {error}"


def _time(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
