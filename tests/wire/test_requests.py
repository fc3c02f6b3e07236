"""The exact request JSON of every conversation on every endpoint."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from langchain_kimi.endpoints import ENDPOINTS
from langchain_kimi.wire.request import build_request

from .conversations import COMMON_CASES, Case

if TYPE_CHECKING:
    from syrupy.assertion import SnapshotAssertion


def line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def rendered(body: dict[str, Any]) -> str:
    """Write a body as text, a message, a tool and a field a line, in the order of the JSON."""
    lines = []
    for key, value in body.items():
        if key in {"messages", "tools"}:
            lines += [f"{key}:", *(f"  {line(item)}" for item in value)]
        else:
            lines.append(f"{key}: {line(value)}")
    return "\n".join(lines)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("case", COMMON_CASES, ids=lambda case: case.name)
def test_request(case: Case, endpoint: str, snapshot: SnapshotAssertion) -> None:
    before = copy.deepcopy(case.messages)

    request = build_request(case.messages, case.options_for(endpoint))

    about = f"thinking: {request.thinking}, must call: {request.must_call}"
    assert f"{about}\n{rendered(request.body)}" == snapshot
    assert case.messages == before
