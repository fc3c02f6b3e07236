"""A task as it waits in the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from langchain_kimi.swarm import Budget
from langchain_kimi.workers.webhook import check_form


class Task(BaseModel):
    """What a background agent is to do. It is kept in the queue as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    task: str
    """The words to the orchestrator."""
    budget: dict[str, Any] = {}
    """Limits of this task, over those of the worker; the fields of `Budget`."""
    webhook: str | None = Field(default=None, repr=False)
    """An https URL that is told the end, as JSON. Its host must have a public address, unless the
    worker names it as a private one."""

    @field_validator("task")
    @classmethod
    def _has_words(cls, value: str) -> str:
        if not value.strip():
            msg = "the task is empty: say what is to be done"
            raise ValueError(msg)
        return value

    @field_validator("webhook")
    @classmethod
    def _can_be_told(cls, value: str | None) -> str | None:
        if value is not None:
            check_form(value)
        return value

    @field_validator("budget")
    @classmethod
    def _is_budget(cls, value: dict[str, Any]) -> dict[str, Any]:
        Budget.of(value)
        return value

    @classmethod
    def kept(cls, row: Mapping[str, Any]) -> Self:
        """Read a row of the queue; what a newer version wrote beside is left out.

        Raises:
            ValueError: It is no task.
        """
        return cls.model_validate({key: row[key] for key in cls.model_fields if key in row})
