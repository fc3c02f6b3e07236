"""What the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z]+)\b", README)) - {"make"}
    assert named <= targets | {"demo"}
    assert {"demo", "test"} <= named


def test_linked_files_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]
    paths = re.findall(r"`((?:docs|graphs|notebooks)/[\w./]+)`", README)
    missing = [path for path in [*links, *paths] if not (ROOT / path).exists()]
    assert not missing
