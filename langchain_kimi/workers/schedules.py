"""Schedules of the queue, and what is done for those that nobody was there to fire."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import CroniterError, croniter
from dbos import DBOS

from langchain_kimi.workers import engine

logger = logging.getLogger(__name__)


def check_cron(cron: str) -> None:
    """Refuse a cron expression that cannot be read, or that never comes due.

    Raises:
        ValueError: It is one of these.
    """
    try:
        croniter(cron, datetime.now(UTC), second_at_beginning=True).get_next()
    except (CroniterError, ValueError, KeyError, AttributeError) as error:
        msg = f"cron={cron!r} is no schedule ({error}): give five fields such as '0 6 * * 1-5'"
        raise ValueError(msg) from None


def last_due(schedule: dict[str, Any], now: datetime) -> datetime | None:
    """Return the last time that a schedule was due and did not fire, None when it did.

    Args:
        schedule: As the engine keeps it; its context has `since`, the time when it was made.
        now: The time.
    """
    zone = ZoneInfo(schedule["cron_timezone"]) if schedule.get("cron_timezone") else UTC
    fired = schedule["last_fired_at"] or schedule["context"]["since"]
    due: datetime = croniter(
        schedule["schedule"], now.astimezone(zone), second_at_beginning=True
    ).get_prev(datetime)
    return due if due > datetime.fromisoformat(fired) else None


def catch_up() -> list[str]:
    """Fire each schedule once that was due while no worker was there; return their names.

    However often it was due: who sleeps through three mornings wants one report, not three. The
    run has the name of its time, so that of several workers that begin together one fires it.
    """
    now = datetime.now(UTC)
    fired: list[str] = []
    for schedule in DBOS.list_schedules(status="ACTIVE"):
        if schedule["workflow_name"] != engine.SCHEDULED:
            continue
        try:
            due = last_due(dict(schedule), now)
        except (CroniterError, ValueError, KeyError, TypeError) as error:
            name, kind = schedule["schedule_name"], type(error).__name__
            logger.warning("schedule %s cannot be read, and never fires: %s", name, kind)
            continue
        if due is not None:
            moment = timedelta(milliseconds=1)
            DBOS.backfill_schedule(schedule["schedule_name"], due - moment, due + moment)
            fired.append(schedule["schedule_name"])
    return fired
