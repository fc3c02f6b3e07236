"""The documentation builds without a network, and its code runs."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from langchain_kimi.testing import KimiServer

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LOADED = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="http')
BLOCKS = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"<!-- run -->\n```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    )
]


def test_it_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(tmp_path)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, check=False, cwd=ROOT, env=quiet, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "reference" / "index.html").read_text("utf-8")
    assert "create_background_agent" in reference
    assert "with_structured_output" in reference
    for page in tmp_path.rglob("*.html"):
        assert not LOADED.search(page.read_text("utf-8")), page


def test_the_drawings_are_those_of_the_graphs() -> None:
    drawn = runpy.run_path(str(ROOT / "scripts" / "draw_graphs.py"))["page"]()
    assert (ROOT / "docs" / "graphs.md").read_text("utf-8") == drawn


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if page.name not in navigation] == []


@pytest.mark.parametrize("code", BLOCKS)
def test_code_in_the_pages_runs(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with KimiServer(dialect="vllm") as server:
        monkeypatch.setenv("NVIDIA_BASE_URL", server.base_url)
        exec(compile(code, "docs", "exec"), {"__name__": "__main__"})
