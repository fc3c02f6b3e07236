"""A typed plan: tasks, and what each needs before it can begin."""

from __future__ import annotations

from pydantic import BaseModel, Field, model_validator


class PlannedTask(BaseModel):
    """One task of a plan."""

    id: str = Field(description="A short name, unique in the plan.")
    agent: str = Field(default="", description="The kind of sub-agent that does it.")
    prompt: str = Field(description="All that the sub-agent needs to know.")
    needs: list[str] = Field(
        default_factory=list,
        description="Ids of the tasks whose results it builds on; it is given them.",
    )


class Plan(BaseModel):
    """Tasks in any order; those that need nothing of each other run at the same time."""

    tasks: list[PlannedTask] = Field(min_length=1)

    @model_validator(mode="after")
    def _has_an_order(self) -> Plan:
        """Refuse unknown needs, ids given twice, and circles."""
        self.order()
        return self

    def order(self) -> list[PlannedTask]:
        """Return the tasks so that each comes after what it needs.

        Raises:
            ValueError: When there is no such order.
        """
        by_id = {task.id: task for task in self.tasks}
        if len(by_id) < len(self.tasks):
            msg = "Two tasks have the same id. Give each its own."
            raise ValueError(msg)
        if unknown := sorted({n for t in self.tasks for n in t.needs} - by_id.keys()):
            msg = f"The plan needs {', '.join(unknown)}, which no task has as its id."
            raise ValueError(msg)
        ordered: dict[str, PlannedTask] = {}
        while len(ordered) < len(by_id):
            free = [t for t in self.tasks if t.id not in ordered and ordered.keys() >= set(t.needs)]
            if not free:
                circle = sorted(by_id.keys() - ordered.keys())
                msg = f"The tasks {', '.join(circle)} need each other in a circle."
                raise ValueError(msg)
            ordered.update((task.id, task) for task in free)
        return list(ordered.values())
