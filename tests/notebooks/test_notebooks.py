"""The notebooks: committed without outputs, and run top to bottom offline."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


def texts(cell: Any) -> str:
    """What a cell printed and returned."""
    parts = [output.get("text") or output.get("data") or "" for output in cell.outputs]
    return "".join(part if isinstance(part, str) else richest(part) for part in parts)


def richest(data: dict[str, str]) -> str:
    kinds = ("image/svg+xml", "text/html", "text/markdown", "text/plain")
    return next(data[kind] for kind in kinds if kind in data)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_is_committed_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert (cell.outputs, cell.execution_count) == ([], None)


@pytest.fixture
def execute(monkeypatch) -> Callable[[Path], list[str]]:
    """Run a notebook without an endpoint; give what each code cell showed."""
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "NVIDIA_BASE_URL", "KIMI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    def execute(path: Path) -> list[str]:
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": str(path.parent)}}
        NotebookClient(notebook, timeout=90, kernel_name="python3", resources=resources).execute()
        cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
        for cell in cells:
            assert not [o["text"] for o in cell.outputs if o.get("name") == "stderr"]
        return [texts(cell) for cell in cells]

    return execute


def test_the_first_agent_runs_offline_and_shows_what_it_says(execute) -> None:
    shown = iter(execute(FOLDER / "01_first_agent.ipynb"))
    assert next(shown) == "a stand-in, no model\n"
    assert next(shown).startswith("Stand-in (no model)")
    assert "['reasoning', 'text']" in next(shown)
    assert next(shown).startswith("no reasoning\n{'input_tokens': ")
    assert re.match(r"\[.+\]Stand-in \(no model\)", next(shown))
    assert "'args': {'path': 'LICENSE'}" in next(shown)
    agent = next(shown)
    assert "<td " in agent
    assert "read_file({&#x27;path&#x27;: &#x27;pyproject.toml&#x27;})" in agent
    assert "requires-python" in agent
    assert "--- calls: ['count_lines']\n\n--- results: ['21']" in next(shown)
    assert "MIT" in next(shown)
    assert "Args: {'path': 'LICENSE'}" in next(shown)
    assert "21" in next(shown)
    drawing = next(shown)
    assert drawing.startswith("<svg")
    assert "HumanInTheLoopMiddleware.after_model" in drawing
    assert next(shown).startswith("Simulated: the model.")
    assert list(shown) == []


def test_02_thinking_and_tools(execute) -> None:
    shown = execute(FOLDER / "02_thinking_and_tools.ipynb")
    assert "{'city': 'Oslo'} | thought: False" in shown[-1]


def test_03_structured_output(execute) -> None:
    shown = execute(FOLDER / "03_structured_output.ipynb")
    assert "grain='rye' tonnes=2.5" in shown[1]
    assert shown[3].endswith("<tr><td>barley</td><td>3.0</td></tr></table>")
    assert "KimiStructuredOutputError" in shown[4]
    assert "3 requests" in shown[4]


def test_04_images_and_video(execute) -> None:
    shown = execute(FOLDER / "04_images_and_video.ipynb")
    assert "<td>640 x 480</td><td>414</td>" in shown[2]
    assert "1 picture(s)" in shown[3]
    assert shown[4].count('src="data:image/') == 8
    assert "32 frames" in shown[4]
    assert "32 picture(s)" in shown[5]


def test_05_multimodal_rag(execute) -> None:
    shown = execute(FOLDER / "05_multimodal_rag.ipynb")
    assert "<td>tour.mp4</td>" in shown[1]
    assert shown[2].count('src="data:image/jpeg') == 2
    assert "repairs-2025.pdf, page 1" in shown[2]
    assert "cost 18,400 euros" in shown[3]
    assert shown[3].count('src="data:image/jpeg') == 2, "the page, and the region on it"
    assert "tour.mp4, 00:08" in shown[4]
    assert "frame at 00:10" in shown[4]


def test_06_background_swarm(execute) -> None:
    shown = execute(FOLDER / "06_background_swarm.ipynb")
    files = len(list((FOLDER.parent / "langchain_kimi" / "middleware").glob("*.py")))
    assert f"{files + 1} done, 0 running, 0 queued, 0 failed of {files + 1}" in shown[2]
    assert "langchain_kimi/middleware/budget.py" in shown[3]
    assert shown[3].startswith("<svg")
    assert "budget.py" in shown[4]
    assert f"<td>subagents</td><td>{files + 1}</td>" in shown[5]


def test_07_deploy_and_drive_a_server(execute) -> None:
    shown = execute(FOLDER / "07_deploy_and_drive_a_server.ipynb")
    assert re.findall(r"<tr><td>(\w+)</td>", shown[1]) == [
        *("background", "multimodal_rag", "tool_use", "visual_to_code")
    ]
    assert "requires-python" in shown[2]
    assert "done 2 sub-agents" in shown[3]
    assert shown[4] == "stopped\n"


def test_08_test_your_agents(execute) -> None:
    shown = execute(FOLDER / "08_test_your_agents.ipynb")
    assert "functions.get_weather:0" in shown[1]
    assert "After all. | requests: 2" in shown[2]
    assert "4 passed" in shown[4]
