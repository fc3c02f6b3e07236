"""A task as it waits in the queue."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from langchain_kimi.swarm import Budget


class Task(BaseModel):
    """What a background agent is to do. It is kept in the queue as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str
    """The words to the orchestrator."""
    budget: dict[str, Any] = {}
    """Limits of this task, over those of the worker; the fields of `Budget`."""
    webhook: str | None = None
    """An https URL that is told the end, as JSON. Its host must have a public address, unless the
    worker names it as a private one."""

    @field_validator("task")
    @classmethod
    def _has_words(cls, value: str) -> str:
        if not value.strip():
            msg = "the task is empty: say what is to be done"
            raise ValueError(msg)
        return value

    @field_validator("budget")
    @classmethod
    def _is_budget(cls, value: dict[str, Any]) -> dict[str, Any]:
        Budget.of(value)
        return value
