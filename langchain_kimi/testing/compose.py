"""Making a reply of a turn: steps, limits, the dialect's own changes, counts."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_kimi.testing import faults
from langchain_kimi.testing.dialects.base import Dialect
from langchain_kimi.testing.reply import (
    Reply,
    limited,
    reshapes_of,
    steps_of,
    true_finish,
    usage_of,
)
from langchain_kimi.testing.request import ChatRequest
from langchain_kimi.testing.script import Part


def compose(
    parts: Sequence[Part],
    request: ChatRequest,
    dialect: Dialect,
    *,
    reply_id: str,
    created: int,
    fingerprint: str,
    cached: int,
) -> Reply:
    """Make the reply of a turn to a request."""
    raw = steps_of(parts, request, thinking=dialect.thinks(request))
    fitting, cut_by = limited(raw, request)
    steps = dialect.adapted(fitting, request)
    return Reply(
        id=reply_id,
        created=created,
        model=request.model,
        fingerprint=fingerprint,
        steps=steps,
        finish_reason=_finish(parts, dialect.finish_reason(cut_by or true_finish(steps), request)),
        usage=usage_of(fitting, request, cached),
        reshapes=reshapes_of(parts),
    )


def _finish(parts: Sequence[Part], reason: str) -> str | None:
    """Let a fault dictate the finish_reason."""
    dictated = [part.reason for part in parts if isinstance(part, faults.Finish)]
    return dictated[-1] if dictated else reason
