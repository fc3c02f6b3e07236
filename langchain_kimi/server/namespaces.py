"""Which tenant's documents a run may read: enforced where they are opened."""

from __future__ import annotations

from langgraph.runtime import get_runtime

from langchain_kimi.errors import KimiInvalidInputError
from langchain_kimi.server.settings import is_guarded
from langchain_kimi.server.users import namespaces_of

DEFAULT = "default"


def served_namespace(chosen: str) -> str:
    """Return the namespace that this run reads.

    Whatever named it (the run, its assistant, its thread, a cron), it must be the caller's.

    Args:
        chosen: What the context asks for; `default` is the caller's first.

    Returns:
        The namespace; `chosen` itself while the server asks for no authentication.

    Raises:
        KimiInvalidInputError: When it is another's, or nobody is known to call.
    """
    if not is_guarded():
        return chosen
    server = get_runtime().server_info
    caller = server.user if server else None
    allowed = namespaces_of(caller) if caller else []
    if chosen in allowed:
        return chosen
    if chosen == DEFAULT and allowed:
        return allowed[0]
    msg = f"namespace={chosen!r} is not the caller's: leave it out for the caller's own."
    raise KimiInvalidInputError(msg)
