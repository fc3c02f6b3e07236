"""Each row of the wire page names the tests that hold it, and they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from langchain_kimi.endpoints import ENDPOINTS

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "wire.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if re.match(r"\| (?!observed)", line)]
SNAPSHOTS = (TESTS / "wire" / "__snapshots__" / "test_requests.ambr").read_text("utf-8")


def test_there_are_rows() -> None:
    assert len(ROWS) >= 36


@pytest.mark.parametrize("row", ROWS, ids=lambda row: re.sub(r"\W+", " ", row)[1:40])
def test_a_row_is_held(row: str) -> None:
    held = re.split(r"(?<!\\)\|", row)[4]
    cases = re.findall(r"case `(\w+)`", held)
    tests = re.findall(r"`([\w/]+\.py)::(test_\w+)`", held)
    assert cases or tests
    for case in cases:
        for endpoint in ENDPOINTS:
            assert f"# name: test_request[{case}-{endpoint}]" in SNAPSHOTS
    for path, name in tests:
        code = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^(async )?def {name}\(", code, re.MULTILINE), f"{path}::{name}"
