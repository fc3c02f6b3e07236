"""Every code block in ChatKimi's docstring runs, in order, against the stand-in."""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import re
import textwrap
from typing import TYPE_CHECKING, Any

from langchain_kimi import ChatKimi

if TYPE_CHECKING:
    import pytest

    from langchain_kimi.testing import KimiServer

SECTIONS = [
    "Setup",
    "Key init args",
    "Instantiate",
    "Invoke",
    "Stream",
    "Async",
    "Tool calling",
    "Structured output",
    "Image and video input",
    "Token usage",
    "Response metadata",
]


def code_blocks() -> dict[str, str]:
    """Map the docstring's sections to their Python code."""
    blocks: dict[str, str] = {}
    for part in re.split(r"\n(?=[A-Z][^\n:]*:\n {4})", inspect.getdoc(ChatKimi) or ""):
        section, _, body = part.partition(":\n")
        if code := re.search(r"```python\n(.*?)```", body, re.DOTALL):
            blocks[section] = textwrap.dedent(code[1])
    return blocks


def run(code: str, names: dict[str, Any]) -> Any:
    """Run a block; return the value of its last line where that is an expression."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<docstring>", "exec", dont_inherit=True), names)
    if not isinstance(last, ast.Expr):
        return None
    return eval(compile(ast.Expression(last.value), "<docstring>", "eval"), names)


def test_the_sections_that_users_know_are_there() -> None:
    doc = inspect.getdoc(ChatKimi) or ""

    found = [doc.find(f"\n{section}:\n") for section in SECTIONS]
    assert -1 not in found
    assert found == sorted(found)


def test_the_code_blocks_run(
    vllm: KimiServer,
    png: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("NVIDIA_BASE_URL", vllm.base_url)
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-test")
    names: dict[str, Any] = {"png_bytes": base64.b64decode(png["base64"])}
    blocks = code_blocks()

    values = {section: run(code, names) for section, code in blocks.items()}

    assert isinstance(names["llm"], ChatKimi)
    assert values["Invoke"], "the reasoning"
    assert "thinks:" in capsys.readouterr().out
    assert asyncio.run(names["ask"]())
    (called,) = values["Tool calling"]
    assert (called["name"], called["args"]) == ("GetWeather", {"city": "Paris"})
    assert isinstance(names["city"], names["City"])
    assert values["Token usage"] > 0
    assert values["Response metadata"] == "stop"
    assert len(vllm.requests) == len(blocks) - 2  # one only makes the model, one only looks
    names["llm"].close()
