"""DBOS, which keeps the queue: its settings, and the names by which it knows our work."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
        OSError: The database cannot be reached.
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
        msg = f"the queue at {place} cannot be opened: {type(error).__name__}"
        raise OSError(msg) from None
