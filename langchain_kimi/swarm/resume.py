"""Whether a thread of the outer graph waits to go on."""

from __future__ import annotations

from langgraph.types import StateSnapshot


def is_unfinished(snapshot: StateSnapshot) -> bool:
    """Tell whether a run was cut off, or waits for a person: call the agent with None to go on.

    `snapshot.next` does not say it: it leaves out a node that had ended before its checkpoint was
    written. Giving the task once more in that moment would do all of it a second time.
    """
    return bool(snapshot.tasks)
