"""What the model reads and what a person sees, as snapshots."""

import io

from rich.console import Console

from langchain_kimi.swarm import Progress, SubAgent
from langchain_kimi.swarm.agent import prompt
from langchain_kimi.swarm.tools import schemas

COUNTS = {
    "total": 300, "waiting": 250, "running": 20, "done": 27, "failed": 3, "steps": 412,
    "critical_steps": 16, "tokens": 1_234_567, "money": 1.5, "rate": 12.34, "seconds": 61.2,
}  # fmt: skip


def test_the_prompts(snapshot):
    assert {name: prompt(name) for name in ("orchestrator", "subagent", "reduce")} == snapshot


def test_the_schemas_of_its_tools(snapshot):
    kinds = [
        SubAgent(name="general", description="Does any task."),
        SubAgent(name="judge", description="Weighs claims."),
        SubAgent(name="reduce", description="", internal=True),
    ]
    assert schemas(kinds, spawning=True) == snapshot(name="orchestrator")
    assert [tool["function"]["name"] for tool in schemas(kinds, spawning=False)] == [
        "write_artifact",
        "read_artifact",
        "list_artifacts",
    ]


def _event(number, what, **more):
    return {
        "type": "swarm", "version": 1, "event": what, "at": 0.0, "run": "r",
        "agent": f"a{number}", "label": f"item {number}", "status": "running", "steps": number,
        "counts": COUNTS, **more,
    }  # fmt: skip


def _followed():
    progress = Progress()
    for number in range(15):
        progress.update(_event(number, "started"))
    progress.update(_event(14, "step", text="read_file"))
    progress.update(_event(3, "ended", status="failed", reason="<b>no</b> such [bold]page[/b]"))
    progress.update(_event(4, "requeued"))
    progress.update({"type": "other"})
    return progress


def test_the_live_display(snapshot):
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=False, color_system=None)
    console.print(_followed())
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines == snapshot
    assert any("[bold]page[/b]" in line for line in lines), "told as it is"


def test_in_a_notebook_nothing_of_a_model_becomes_markup(snapshot):
    assert _followed()._repr_html_() == snapshot
