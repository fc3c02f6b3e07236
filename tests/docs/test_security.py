"""Each claim of SECURITY.md rests on a test that exists."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "SECURITY.md").read_text("utf-8")
ROWS = re.findall(r"^\| (?!claim|---)(.*?) \| (.*) \|$", PAGE, re.MULTILINE)
SECTIONS = ("Keys", "Prompt injection", "Tools and", "Requests to", "Tenants", "Hostile files")


def test_every_threat_has_its_claims() -> None:
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
    for name in SECTIONS:
        (text,) = (text for title, text in sections.items() if title.startswith(name))
        assert text.count("::test_") >= 5, name
    assert len(ROWS) > 20


@pytest.mark.parametrize(("claim", "held"), ROWS, ids=[claim[:40] for claim, _ in ROWS])
def test_a_claim_is_held(claim: str, held: str) -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", held)
    assert named
    for path, name in named:
        code = (TESTS / path).read_text("utf-8")
        assert re.search(rf"^(async )?def {name}\(", code, re.MULTILINE), f"{path}::{name}"
