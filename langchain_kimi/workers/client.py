"""`Queue`: submit runs, look at them and steer them, from any process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import available_timezones

from dbos import PortableWorkflowError, WorkflowStatus

from langchain_kimi.workers import engine
from langchain_kimi.workers.place import Place
from langchain_kimi.workers.task import Task
from langchain_kimi.workers.worker import QUEUE_SECONDS

State = Literal["queued", "running", "ended", "failed", "cancelled"]

_STATES: dict[str, State] = {
    "DELAYED": "queued",
    "ENQUEUED": "queued",
    "PENDING": "running",
    "SUCCESS": "ended",
    "ERROR": "failed",
    "CANCELLED": "cancelled",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
}
_OPEN = ("queued", "running")
_ANSWER_SECONDS = 15.0


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


class Queue:
    """The queue that workers take runs from."""

    def __init__(self, where: str | Path = ".langchain-kimi") -> None:
        """Open it; its tables are made where there are none.

        Args:
            where: The folder of a worker, or the `postgresql://…` that several share.
        """
        self._client = engine.client(Place(where))

    def close(self) -> None:
        """Close its connections."""
        self._client.destroy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- runs ---------------------------------------------------------------------------------

    def submit(self, task: Task | str, *, run: str | None = None) -> str:
        """Put a run into the queue, and return at once.

        Args:
            task: What is to be done.
            run: Its name; submitting a name that is there already changes nothing, so that a
                trigger may be sent twice. Default: a name of its own.

        Returns:
            The run's name, which is also the thread of its graph and its name in the journal.
        """
        given = task if isinstance(task, Task) else Task(task=task)
        handle: Any = self._client.enqueue(
            {
                "workflow_name": engine.RUN,
                "queue_name": engine.RUNS,
                "workflow_id": run or f"run-{uuid.uuid4().hex[:16]}",
                "app_version": engine.VERSION,
            },
            given.model_dump(),
        )
        return str(handle.get_workflow_id())

    def status(self, run: str) -> RunStatus:
        """Tell how a run stands.

        Raises:
            KeyError: There is no such run.
        """
        found = self._client.list_workflows(workflow_ids=[run])
        if not found:
            msg = f"the queue has no run {run!r}"
            raise KeyError(msg)
        return _status(found[0])

    def runs(self, *, limit: int = 100) -> list[RunStatus]:
        """List the runs, the newest first."""
        found = self._client.list_workflows(
            name=[engine.RUN, engine.SCHEDULED], limit=limit, sort_desc=True
        )
        return [_status(one) for one in found]

    def wait(self, run: str, *, seconds: float | None = None) -> RunStatus:
        """Wait for a run's end.

        Raises:
            KeyError: There is no such run.
            TimeoutError: It did not end in time.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while (status := self.status(run)).state in _OPEN:
            if deadline is not None and time.monotonic() > deadline:
                msg = f"run {run!r} is still {status.state} after {seconds:g} seconds"
                raise TimeoutError(msg)
            time.sleep(QUEUE_SECONDS)
        return status

    # --- control ------------------------------------------------------------------------------

    def cancel(self, run: str, agent: str | None = None) -> None:
        """Stop a run, or one sub-agent of it; what it had is kept and reported.

        Raises:
            KeyError: There is no such run.
            ValueError: It has ended, or has no such sub-agent.
        """
        if agent is None and self.status(run).state == "queued":
            self._client.cancel_workflow(run)
        else:
            self._ask(run, "cancel", agent)

    def pause(self, run: str) -> None:
        """Begin no more steps of a run; errors as for `cancel`."""
        self._ask(run, "pause")

    def resume(self, run: str) -> None:
        """Go on after `pause`; errors as for `cancel`."""
        self._ask(run, "resume")

    def send(self, run: str, text: str) -> None:
        """Tell the orchestrator of a run something, which it reads before its next step.

        Raises:
            KeyError: There is no such run.
            ValueError: It is not at work.
        """
        self._ask(run, "send", text)

    def answer(self, run: str, decisions: Sequence[Mapping[str, Any]]) -> None:
        """Answer what a run asks a person, one decision for each request, in their order.

        Args:
            run: The run.
            decisions: As for `HumanInTheLoopMiddleware`: `{"type": "approve"}` for example.

        Raises:
            KeyError: There is no such run.
            ValueError: It asks for nothing.
        """
        if not decisions:
            msg = "no decisions were given: one is needed for each request"
            raise ValueError(msg)
        self._ask(run, "answer", [dict(one) for one in decisions])

    def look(self, run: str) -> dict[str, Any]:
        """Look at a run at work: `counts`, `agents`, and `asked`, what waits for a person.

        Raises:
            KeyError: There is no such run.
            ValueError: It is not at work.
        """
        return self._ask(run, "look")

    def _ask(self, run: str, command: str, argument: Any = None) -> dict[str, Any]:
        """Ask the worker that has a run."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while True:
            status = self.status(run)
            if status.state != "running":
                msg = f"run {run!r} is {status.state}, not at work: it cannot {command}"
                raise ValueError(msg)
            answer = self._asked(status, command, argument, deadline)
            if answer is not None and "error" in answer:
                raise ValueError(answer["error"])
            if answer is not None:
                return answer
            if time.monotonic() > deadline:
                msg = f"the worker of run {run!r} does not answer"
                raise TimeoutError(msg)
            time.sleep(QUEUE_SECONDS)

    def _asked(
        self, status: RunStatus, command: str, argument: Any, deadline: float
    ) -> dict[str, Any] | None:
        handle: Any = self._client.enqueue(
            {
                "workflow_name": engine.CONTROL,
                "queue_name": engine.control_queue(str(status.worker)),
                "app_version": engine.VERSION,
                "workflow_timeout": _ANSWER_SECONDS,
            },
            status.id,
            command,
            argument,
        )
        while handle.get_status().status in ("ENQUEUED", "PENDING"):
            if time.monotonic() > deadline or self.status(status.id).worker != status.worker:
                self._client.cancel_workflow(handle.get_workflow_id())
                return None
            time.sleep(0.05)
        answer: dict[str, Any] | None = handle.get_result()
        return answer

    # --- schedules ----------------------------------------------------------------------------

    def schedule(
        self, name: str, cron: str, task: Task | str, *, timezone: str | None = None
    ) -> None:
        """Run a task by the clock. What was due while no worker was there is caught up once.

        Args:
            name: The schedule's name; one of that name is replaced. Where the times stay the
                same, what was due and did not fire is caught up all the same.
            cron: Five fields, or six with seconds first: `0 6 * * 1-5`.
            task: What is to be done each time.
            timezone: In which `cron` is read, such as `Europe/Berlin`. Default: UTC.

        Raises:
            ValueError: The cron expression or the timezone cannot be read.
        """
        from croniter import croniter  # noqa: PLC0415  only here

        if not croniter.is_valid(cron, second_at_beginning=True):
            msg = f"cron={cron!r} is no schedule: give five fields such as '0 6 * * 1-5'"
            raise ValueError(msg)
        if timezone is not None and timezone not in available_timezones():
            msg = f"timezone={timezone!r} is not known: give a name such as 'Europe/Berlin'"
            raise ValueError(msg)
        given = task if isinstance(task, Task) else Task(task=task)
        known = self._client.get_schedule(name)
        context = {"task": given.model_dump(), "since": datetime.now(UTC).isoformat()}
        if known is not None:
            if known["schedule"] == cron and known["cron_timezone"] == timezone:
                context["since"] = known["last_fired_at"] or known["context"]["since"]
            self._client.delete_schedule(name)
        self._client.create_schedule(
            schedule_name=name,
            workflow_name=engine.SCHEDULED,
            schedule=cron,
            context=context,
            cron_timezone=timezone,
            queue_name=engine.RUNS,
        )

    def schedules(self) -> dict[str, str]:
        """List the schedules: their cron expressions by name."""
        return {
            one["schedule_name"]: one["schedule"]
            for one in self._client.list_schedules()
            if one["workflow_name"] == engine.SCHEDULED
        }

    def unschedule(self, name: str) -> None:
        """Remove a schedule; its runs stay.

        Raises:
            KeyError: There is no such schedule.
        """
        if self._client.get_schedule(name) is None:
            msg = f"the queue has no schedule {name!r}"
            raise KeyError(msg)
        self._client.delete_schedule(name)


def _status(found: WorkflowStatus) -> RunStatus:
    given: Any = found.input or {}
    args: Any = given.get("args") or ({}, {"task": {}})
    task = args[0] if found.name == engine.RUN else args[1]["task"]
    return RunStatus(
        id=found.workflow_id,
        state=_STATES[found.status],
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
