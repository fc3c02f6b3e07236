"""Background agents: a durable swarm of sub-agents on any chat model."""

from langchain_kimi.swarm.agent import create_background_agent
from langchain_kimi.swarm.backend import JournalError, JournalTakenError
from langchain_kimi.swarm.budgets import Budget, Price
from langchain_kimi.swarm.compaction import Compaction
from langchain_kimi.swarm.desk import Timeouts
from langchain_kimi.swarm.events import SwarmEvent
from langchain_kimi.swarm.failures import RetryPolicy
from langchain_kimi.swarm.journal import Journal, open_journal
from langchain_kimi.swarm.live import Progress
from langchain_kimi.swarm.live_runs import Handle, ThreadBusyError, running
from langchain_kimi.swarm.remote import RemoteUnavailableError, remote_graph
from langchain_kimi.swarm.remote_thread import RemoteRunError
from langchain_kimi.swarm.resume import is_unfinished
from langchain_kimi.swarm.subagents import IdempotencyKey, SubAgent
from langchain_kimi.swarm.threads import delete_run, prune_runs

__all__ = [
    "Budget",
    "Compaction",
    "Handle",
    "IdempotencyKey",
    "Journal",
    "JournalError",
    "JournalTakenError",
    "Price",
    "Progress",
    "RemoteRunError",
    "RemoteUnavailableError",
    "RetryPolicy",
    "SubAgent",
    "SwarmEvent",
    "ThreadBusyError",
    "Timeouts",
    "create_background_agent",
    "delete_run",
    "is_unfinished",
    "open_journal",
    "prune_runs",
    "remote_graph",
    "running",
]
