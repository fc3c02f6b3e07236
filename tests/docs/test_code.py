"""Code in README and docs runs, page by page from top to bottom; what does not says why."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import typer

from langchain_kimi.cli import app
from langchain_kimi.research.sample import write_sample
from langchain_kimi.testing import KimiServer
from tests.docs.blocks import BLOCKS, PAGES, ROOT, Block, blocks_of

LANGUAGES = {"python", "bash", "text", "toml", "json", "yaml"}
RUN = [page for page in PAGES if any(block.mark == "run" for block in blocks_of(page))]
NO_PICTURES = shutil.ignore_patterns("*.png", "*.jpg", "*.mp4", "*.srt")
LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|nim):\d+")
COMMANDS = typer.main.get_command(app).commands


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("pages") / "documents")


@pytest.fixture
def folder(
    request: pytest.FixtureRequest,
    documents: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """What pages stand in: a page of the docs, the graphs, and documents to ask about.

    Pictures and the film are read for the page of the main job alone: OCR takes its time.
    """
    whole = request.node.callspec.params["page"].stem == "index"
    (tmp_path / "docs").mkdir()
    shutil.copytree(ROOT / "graphs", tmp_path / "graphs")
    for name in ("pyproject.toml", "langgraph.json", "LICENSE", "docs/background.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(documents, tmp_path / "documents", ignore=None if whole else NO_PICTURES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    for name in ("NVIDIA_API_KEY", "KIMI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MOONSHOT_API_KEY", "any")
    return tmp_path


@pytest.mark.timeout(300)  # generous: many processes start
@pytest.mark.parametrize("page", RUN, ids=[page.stem for page in RUN])
def test_a_page_runs(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    servers: dict[str, KimiServer] = {}
    with ExitStack() as stack:
        for block in blocks_of(page):
            if block.mark != "run":
                continue
            dialect = block.said or "vllm"
            if dialect not in servers:
                servers[dialect] = stack.enter_context(KimiServer(dialect=dialect))
            base_url = servers[dialect].base_url
            monkeypatch.setenv("NVIDIA_BASE_URL", base_url)
            if block.language == "bash":
                in_bash(block)
            else:
                in_python(block, names, base_url)


def in_bash(block: Block) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"


def in_python(block: Block, names: dict[str, Any], base_url: str) -> None:
    code = LOCAL.sub(base_url.removesuffix("/v1"), block.code)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, block.place, "exec", flags=flags)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)


def test_every_block_says_its_language_and_whether_it_runs() -> None:
    assert [block.place for block in BLOCKS if block.language not in LANGUAGES] == []
    code = [block for block in BLOCKS if block.language in ("python", "bash")]
    assert len(code) > 40
    assert [block.place for block in code if not block.mark] == []
    reasons = {block.place: block.said for block in code if block.mark == "not run"}
    assert [place for place, reason in reasons.items() if len(reason) < 15] == []


@pytest.mark.parametrize(
    "block",
    [block for block in BLOCKS if block.language == "python" and block.mark == "not run"],
    ids=lambda block: block.place,
)
def test_what_is_not_run_is_python_and_imports_what_exists(block: Block) -> None:
    tree = compile(
        block.code, block.place, "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("langchain_kimi"):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language == "bash"], ids=lambda block: block.place
)
def test_commands_and_options_exist(block: Block) -> None:
    joined = block.code.replace("\\\n", " ")
    for line in re.findall(r"^.*\blangchain-kimi \w.*$", joined, re.MULTILINE):
        words = shlex.split(line[line.index("langchain-kimi") :], comments=True)
        command = COMMANDS[words[1]]
        if hasattr(command, "commands"):
            command = command.commands[words[2]]
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known, block.place
