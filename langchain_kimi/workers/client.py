"""`Queue`: submit runs, look at them and steer them, from any process."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from zoneinfo import available_timezones

from langchain_kimi.workers import engine
from langchain_kimi.workers.asking import ask
from langchain_kimi.workers.place import Place
from langchain_kimi.workers.schedules import check_cron
from langchain_kimi.workers.status import STATES, RunStatus, found_in, status_of
from langchain_kimi.workers.task import Task
from langchain_kimi.workers.worker import QUEUE_SECONDS

_OPEN = ("queued", "running")
_ENDED = [kept for kept, state in STATES.items() if state not in _OPEN]
_AWAY_SECONDS = 60.0
"""How long `wait` goes on while the queue's database is away."""


class Queue:
    """The queue that workers take runs from."""

    def __init__(self, where: str | Path = ".langchain-kimi") -> None:
        """Open it; its tables are made where there are none.

        Args:
            where: The folder of a worker, or the `postgresql://…` that several share.

        Raises:
            QueueUnavailableError: Its database cannot be reached. So does every method, and what it
                was to do may or may not be done.
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

    @engine.reaching
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

    @engine.reaching
    def status(self, run: str) -> RunStatus:
        """Tell how a run stands.

        Raises:
            KeyError: There is no such run.
        """
        return status_of(found_in(self._client, run))

    @engine.reaching
    def runs(self, *, limit: int = 100) -> list[RunStatus]:
        """List the runs, the newest first."""
        found = self._client.list_workflows(
            name=[engine.RUN, engine.SCHEDULED], limit=limit, sort_desc=True
        )
        return [status_of(one) for one in found]

    @engine.reaching
    def waiting(self) -> list[datetime]:
        """Return when the runs were submitted that no worker has taken yet."""
        found = self._client.list_workflows(
            name=[engine.RUN, engine.SCHEDULED], status="ENQUEUED", load_input=False
        )
        return [status_of(one).submitted for one in found]

    def wait(self, run: str, *, seconds: float | None = None) -> RunStatus:
        """Wait for a run's end.

        Raises:
            KeyError: There is no such run.
            TimeoutError: It did not end in time.
            QueueUnavailableError: The database was away for a minute.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        while (status := self._patiently(run)).state in _OPEN:
            if deadline is not None and time.monotonic() > deadline:
                msg = f"run {run!r} is still {status.state} after {seconds:g} seconds"
                raise TimeoutError(msg)
            time.sleep(QUEUE_SECONDS)
        return status

    def _patiently(self, run: str) -> RunStatus:
        until = time.monotonic() + _AWAY_SECONDS
        while True:
            try:
                return self.status(run)
            except engine.QueueUnavailableError:
                if time.monotonic() > until:
                    raise
            time.sleep(QUEUE_SECONDS)

    # --- control ------------------------------------------------------------------------------

    @engine.reaching
    def cancel(self, run: str, agent: str | None = None) -> None:
        """Stop a run, or one sub-agent of it; what it had is kept and reported.

        A run that no worker has at the moment, because its worker died, is stopped by the next
        one that takes it.

        Raises:
            KeyError: There is no such run.
            ValueError: It has ended, or has no such sub-agent.
        """
        if agent is not None:
            ask(self._client, run, "cancel", agent)
            return
        found = found_in(self._client, run)
        if STATES[found.status] == "queued" and not found.attributes:
            self._client.cancel_workflow(run)  # whoever takes it just now cancels it, too
            return
        self._wish(run, "cancel", {"cancelled": True})

    @engine.reaching
    def pause(self, run: str) -> None:
        """Begin no more steps of a run, whichever worker has it; errors as for `cancel`."""
        self._wish(run, "pause", {"paused": True})

    @engine.reaching
    def resume(self, run: str) -> None:
        """Go on after `pause`; errors as for `cancel`."""
        self._wish(run, "resume", {"paused": False})

    @engine.reaching
    def send(self, run: str, text: str) -> None:
        """Tell the orchestrator of a run something, which it reads before its next step.

        Raises:
            KeyError: There is no such run.
            ValueError: It is not at work.
        """
        ask(self._client, run, "send", text)

    @engine.reaching
    def answer(self, run: str, decisions: Mapping[str, Mapping[str, Any]]) -> None:
        """Answer what a run asks a person: all of it, or some.

        Args:
            run: The run.
            decisions: By the request's id, which is among the `ids` of `look`; each as for
                `HumanInTheLoopMiddleware`, `{"type": "approve"}` for example.

        Raises:
            KeyError: There is no such run.
            ValueError: It does not ask for that, or the decision is not allowed.
        """
        if not decisions:
            msg = "no decisions were given: name at least one request"
            raise ValueError(msg)
        ask(self._client, run, "answer", {key: dict(one) for key, one in decisions.items()})

    @engine.reaching
    def look(self, run: str) -> dict[str, Any]:
        """Look at a run at work: `counts`, `agents`, and `asked`, all that waits for a person.

        Raises:
            KeyError: There is no such run.
            ValueError: It is not at work.
        """
        return ask(self._client, run, "look")

    @engine.reaching
    def prune(self, *, older_than: float) -> list[str]:
        """Forget the runs that ended, with their tasks and outcomes; journals are not touched.

        Args:
            older_than: Seconds since their end.

        Returns:
            The names of the runs.
        """
        before = datetime.fromtimestamp(time.time() - older_than, UTC).isoformat()
        old = self._client.list_workflows(
            status=_ENDED, completed_before=before, load_input=False, load_output=False
        )
        self._client.delete_workflows([one.workflow_id for one in old])
        return [one.workflow_id for one in old if one.name != engine.CONTROL]

    def _wish(self, run: str, command: str, wish: dict[str, bool]) -> None:
        """Write down what is wished, for whoever has the run later, and tell whoever has it now."""
        status = self.status(run)
        if status.state not in _OPEN:
            msg = f"run {run!r} is {status.state}, not at work: it cannot {command}"
            raise ValueError(msg)
        self._client.update_workflow_attributes(run, wish, merge=True)
        if status.state == "queued":
            return
        try:
            ask(self._client, run, command)
        except TimeoutError:
            return  # the worker is gone; the next one reads what is written down
        except ValueError:
            now = self.status(run).state
            if now == "running" or (now != "queued" and command != "cancel"):
                raise

    # --- schedules ----------------------------------------------------------------------------

    @engine.reaching
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
        check_cron(cron)
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

    @engine.reaching
    def schedules(self) -> dict[str, str]:
        """List the schedules: their cron expressions by name."""
        return {
            one["schedule_name"]: one["schedule"]
            for one in self._client.list_schedules()
            if one["workflow_name"] == engine.SCHEDULED
        }

    @engine.reaching
    def unschedule(self, name: str) -> None:
        """Remove a schedule; its runs stay.

        Raises:
            KeyError: There is no such schedule.
        """
        if self._client.get_schedule(name) is None:
            msg = f"the queue has no schedule {name!r}"
            raise KeyError(msg)
        self._client.delete_schedule(name)
