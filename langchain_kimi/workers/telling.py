"""Tell the end of a run: to the hook of the worker, and to the run's webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from dbos import DBOS, StepOptions

from langchain_kimi.workers.task import Task
from langchain_kimi.workers.webhook import WebhookRefusedError, tell

logger = logging.getLogger(__name__)

Notify = Callable[[dict[str, Any]], None]

_TRIES = 5


class Telling:
    """Tells whom it may concern."""

    def __init__(self, notify: Notify | None, private_hosts: tuple[str, ...]) -> None:
        self._notify = notify
        self._private_hosts = private_hosts

    def ended(self, told: dict[str, Any], task: Task | None) -> dict[str, Any]:
        """Tell a run's end to whom it may concern; what was told is not told again."""
        if task is not None and task.webhook is not None:
            told = {**told, "webhook": self._told_to(task.webhook, told)}
        if self._notify is not None:
            try:
                self._notify(told)
            except Exception:
                logger.exception("notify failed for run %s", told["run"])
        return told

    def _told_to(self, url: str, told: dict[str, Any]) -> str:
        options: StepOptions = {
            "name": "webhook",
            "retries_allowed": True,
            "max_attempts": _TRIES,
            "interval_seconds": 0.5,
            "backoff_rate": 3.0,
            "should_retry": lambda error: not isinstance(error, WebhookRefusedError),
        }
        try:
            DBOS.run_step(options, tell, url, told, private_hosts=self._private_hosts)
        except Exception as error:  # noqa: BLE001 - the run is done, whoever could be told
            logger.warning("the webhook of run %s was not told: %s", told["run"], error)
            return "failed"
        return "told"


def failed(run: str, error: Exception) -> dict[str, Any]:
    """Return what is told of a run that failed; the error's words may hold what is nobody's."""
    reason = f"failed: {type(error).__name__}"
    return {"run": run, "status": "failed", "result": "", "missing": [reason], "usage": {}}
