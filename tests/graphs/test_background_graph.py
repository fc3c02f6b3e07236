"""The settings of the deployable background graph."""

import runpy
from pathlib import Path

import pytest

GRAPH = str(Path(__file__).parents[2] / "graphs" / "background.py")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps=5", r"KIMI_BUDGET='steps=5' must be a JSON object such as"),
        ("[5]", r"KIMI_BUDGET='\[5\]' must be a JSON object such as"),
        ('{"steps": 0}', r"Budget\.steps is 0"),
        ('{"dollars": 5}', "A budget has no dollars"),
    ],
)
def test_a_budget_that_is_none_is_refused_at_the_start(monkeypatch, text, said):
    monkeypatch.setenv("KIMI_BUDGET", text)
    with pytest.raises(ValueError, match=said):
        runpy.run_path(GRAPH)


@pytest.mark.parametrize("text", ["", '{"steps": 2000, "seconds": 3600}'])
def test_a_budget_is_taken(monkeypatch, text):
    monkeypatch.setenv("KIMI_BUDGET", text)
    assert runpy.run_path(GRAPH)["graph"].name == "background"
