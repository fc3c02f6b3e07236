"""Token usage, wherever a server put it."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_kimi.wire.usage import read_usage

COUNTS = {"prompt_tokens": 8, "completion_tokens": 11, "total_tokens": 19}
PLAIN = {"input_tokens": 8, "output_tokens": 11, "total_tokens": 19}


@pytest.mark.parametrize(
    ("usage", "more"),
    [
        (COUNTS, {}),
        ({**COUNTS, "cached_tokens": 3}, {"input_token_details": {"cache_read": 3}}),
        (
            {**COUNTS, "prompt_tokens_details": {"cached_tokens": 3}},
            {"input_token_details": {"cache_read": 3}},
        ),
        (
            {**COUNTS, "cached_tokens": 0, "prompt_tokens_details": {"cached_tokens": 3}},
            {"input_token_details": {"cache_read": 0}},
        ),
        (
            {**COUNTS, "completion_tokens_details": {"reasoning_tokens": 4}},
            {"output_token_details": {"reasoning": 4}},
        ),
        ({**COUNTS, "reasoning_tokens": 4}, {"output_token_details": {"reasoning": 4}}),
        ({**COUNTS, "prompt_tokens_details": None, "completion_tokens_details": None}, {}),
        ({"prompt_tokens": 8, "completion_tokens": 11}, {}),
    ],
)
@pytest.mark.parametrize("place", ["top", "choice"])
def test_usage(usage: dict[str, Any], more: dict[str, Any], place: str) -> None:
    data = {"usage": usage} if place == "top" else {"choices": [{"usage": usage}]}

    assert read_usage(data) == {**PLAIN, **more}


@pytest.mark.parametrize(
    "data", [{}, {"usage": None}, {"choices": []}, {"choices": [{"delta": {}}]}, {"usage": "none"}]
)
def test_no_usage(data: dict[str, Any]) -> None:
    assert read_usage(data) is None
