"""Runs of workers that are gone: put back, set apart when they may be the cause, given up."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from dbos import DBOS, DBOSClient, WorkflowStatus

from langchain_kimi.workers import engine
from langchain_kimi.workers.place import Presence
from langchain_kimi.workers.runner import Wishes

logger = logging.getLogger(__name__)

SUSPECT_AFTER = 2
"""A run that so many workers died with is worked on with no other beside it that died likewise."""

MOST_DEATHS = 5
"""A run that more workers died with is given up, when none but it can be the cause."""

FORGIVEN_SECONDS = 3600.0
"""Deaths count together only when less work than this lies between them."""

_QUEUES = [engine.RUNS, engine.SUSPECTS]


class RunGivenUpError(RuntimeError):
    """Too many workers died with a run: it may be what kills them."""


def take_over(presence: Presence, worker: str) -> None:
    """Put the runs of workers that are gone back into the queue.

    Only the holder of a dead worker's lock does it, so that no run goes back twice: once a run is
    back, it is not the dead worker's any more.

    Args:
        presence: Tells who is gone.
        worker: The name of the one that looks.
    """
    pending = DBOS.list_workflows(
        status="PENDING", queue_name=_QUEUES, load_input=False, load_output=False
    )
    for other in {one.executor_id for one in pending} - {worker, None}:
        done = presence.is_gone(str(other))
        if done is None:
            continue
        try:
            left = DBOS.list_workflows(
                status="PENDING",
                queue_name=_QUEUES,
                executor_id=other,
                load_input=False,
                load_output=False,
            )
            has_suspect = any(one.queue_name == engine.SUSPECTS for one in left)
            for one in left:
                is_suspect = one.queue_name == engine.SUSPECTS
                _put_back(one, is_blamed=is_suspect or not has_suspect)
            DBOS.delete_queue(engine.control_queue(str(other)))
        finally:
            done()


def note_leaving(client: DBOSClient, runs: Sequence[str], worker: str) -> None:
    """Note that a worker which ends in order, and does not die, leaves these runs."""
    for run in runs:
        client.update_workflow_attributes(run, {"left_by": worker}, merge=True)


def wishes_of(run: str) -> Wishes:
    """Return what was asked of a run while nobody had it.

    Raises:
        RunGivenUpError: Too many workers died with it.
    """
    (found,) = DBOS.list_workflows(workflow_ids=[run], load_input=False, load_output=False)
    known = found.attributes or {}
    if known.get("deaths", 0) > MOST_DEATHS:
        msg = f"{known['deaths']} workers died with the run: it is given up, as it may kill them"
        raise RunGivenUpError(msg)
    return Wishes(paused=known.get("paused", False), cancelled=known.get("cancelled", False))


def _put_back(run: WorkflowStatus, *, is_blamed: bool) -> None:
    """Put a dead worker's run back into a queue.

    What several workers died with stands apart, one to a worker, so that a next death tells which
    run it is; the others are not blamed for it.
    """
    known = run.attributes or {}
    deaths, queue = known.get("deaths", 0), run.queue_name or engine.RUNS
    if is_blamed and known.get("left_by") != run.executor_id:
        worked = time.time() - (run.dequeued_at or 0) / 1000
        deaths = 1 if worked > FORGIVEN_SECONDS else deaths + 1
        queue = engine.SUSPECTS if deaths >= SUSPECT_AFTER else engine.RUNS
    DBOS.update_workflow_attributes(run.workflow_id, {"deaths": deaths}, merge=True)
    DBOS.resume_workflow(run.workflow_id, queue_name=queue)
    logger.info("took run %s over from worker %s", run.workflow_id, run.executor_id)
