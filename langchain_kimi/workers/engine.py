"""DBOS, which keeps the queue: its settings, and the names by which it knows our work."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from langchain_kimi.workers.place import Place

APPLICATION = "langchain-kimi"
VERSION = "1"
"""Of what is kept in the queue. DBOS runs what was submitted under the version of the worker."""

RUNS = "langchain-kimi-runs"
SUSPECTS = "langchain-kimi-suspects"
"""For runs that workers died with more than once: each worker has one of them at a time."""

RUN = "langchain_kimi.run"
SCHEDULED = "langchain_kimi.scheduled"
CONTROL = "langchain_kimi.control"
ANSWER = "answer"
"""The attribute by which a worker that drains answers."""


class QueueUnavailableError(ConnectionError):
    """The database of a queue cannot be reached; it does not say with which password."""

    def __init__(self, error: Exception) -> None:
        super().__init__(
            f"The queue's database cannot be reached: {type(error).__name__}. See whether it runs, "
            "and whether address, user and password are right. What was submitted is kept there."
        )


_P = ParamSpec("_P")
_R = TypeVar("_R")


def reaching(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a method say what is away when it cannot reach the queue's database."""

    @wraps(work)
    def reached(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return work(*args, **kwargs)
        except SQLAlchemyError as error:
            raise QueueUnavailableError(error) from None

    return reached


def control_queue(worker: str) -> str:
    """Return the queue by which one worker is asked for something."""
    return f"langchain-kimi-control-{worker}"


def configuration(place: Place, worker: str) -> DBOSConfig:
    """Return the settings of a worker's engine.

    Threads are not limited: the queue's concurrency may be that of another worker, and control
    must not wait behind runs.
    """
    return DBOSConfig(
        name=APPLICATION,
        system_database_url=place.queue_url,
        executor_id=worker,
        application_version=VERSION,
        serializer=DBOSPortableJSONSerializer(),
        log_level="WARNING",
        scheduler_polling_interval_sec=1.0,
        notification_listener_polling_interval_sec=0.2,
    )


def client(place: Place) -> DBOSClient:
    """Open the queue from outside a worker; its tables are made where there are none.

    Raises:
        QueueUnavailableError: The database cannot be reached.
    """
    try:
        DBOS.migrate(place.queue_url)
        return DBOSClient(
            system_database_url=place.queue_url,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
            retry_connection_errors=False,
        )
    except SQLAlchemyError as error:
        raise QueueUnavailableError(error) from None
