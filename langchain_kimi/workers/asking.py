"""Ask the worker that has a run at work."""

from __future__ import annotations

import time
from typing import Any

from dbos import DBOSClient

from langchain_kimi.workers import engine
from langchain_kimi.workers.status import RunStatus, found_in, status_of

_ANSWER_SECONDS = 15.0
_TRY_SECONDS = 0.25
_LOOK_SECONDS = 0.05


def ask(client: DBOSClient, run: str, command: str, argument: Any = None) -> dict[str, Any]:
    """Ask for something, and wait for the answer.

    Raises:
        KeyError: There is no such run.
        ValueError: It is not at work, or what is asked cannot be done.
        TimeoutError: Its worker does not answer.
    """
    deadline = time.monotonic() + _ANSWER_SECONDS
    while True:
        status = status_of(found_in(client, run))
        if status.state != "running":
            msg = f"run {run!r} is {status.state}, not at work: it cannot {command}"
            raise ValueError(msg)
        answer = _answer(client, status, command, argument, deadline)
        if answer is not None and "error" in answer:
            raise ValueError(answer["error"])
        if answer is not None:
            return answer
        if time.monotonic() > deadline:
            msg = f"the worker of run {run!r} does not answer"
            raise TimeoutError(msg)
        time.sleep(_TRY_SECONDS)


def _answer(
    client: DBOSClient, status: RunStatus, command: str, argument: Any, deadline: float
) -> dict[str, Any] | None:
    """Ask once; None when the run is just between two workers, or time is up."""
    handle: Any = client.enqueue(
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
    try:
        while (asked := handle.get_status()).status in ("ENQUEUED", "PENDING"):
            if asked.attributes:
                past: dict[str, Any] = asked.attributes[engine.ANSWER]
                return past
            now = status_of(found_in(client, status.id))
            if time.monotonic() > deadline or now.worker != status.worker:
                client.cancel_workflow(handle.get_workflow_id())
                return None
            time.sleep(_LOOK_SECONDS)
        answer: dict[str, Any] | None = handle.get_result()
        return answer
    finally:
        client.delete_workflow(handle.get_workflow_id())
