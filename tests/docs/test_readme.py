"""The README's code runs, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from langchain_kimi.testing import KimiServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"<!-- run -->\n```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_python_blocks_run(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with KimiServer(dialect="vllm") as server:
        monkeypatch.setenv("NVIDIA_BASE_URL", server.base_url)
        exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})


def test_every_python_block_is_run() -> None:
    assert len(BLOCKS) == README.count("```python")


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


def test_commands_exist() -> None:
    from langchain_kimi.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"langchain-kimi ([a-z]+)\b", README))
    assert named <= known
