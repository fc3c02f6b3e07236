"""The documentation builds without a network; its drawings are those of the graphs."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
LOADED = re.compile(r'<(?:script|img|link rel="stylesheet")[^>]*(?:src|href)="http')


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
    files = runpy.run_path(str(ROOT / "scripts" / "draw_graphs.py"))["files"]()
    assert {name: (ROOT / "docs" / name).read_text("utf-8") for name in files} == files
    graphs = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    for name in graphs:
        assert f"drawings/{name}.svg" in files
        assert [page for page in PAGES if f"(drawings/{name}.svg)" in page.read_text()], name


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [page.name for page in PAGES if page.name not in navigation] == []
