"""Background agents around the clock: a queue, schedules and workers, on DBOS."""

from langchain_kimi.workers.client import Queue
from langchain_kimi.workers.engine import QueueUnavailableError
from langchain_kimi.workers.status import RunStatus
from langchain_kimi.workers.task import Task
from langchain_kimi.workers.worker import Worker, WorkerLostError

__all__ = ["Queue", "QueueUnavailableError", "RunStatus", "Task", "Worker", "WorkerLostError"]
