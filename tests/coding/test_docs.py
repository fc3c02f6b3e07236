"""The code of the page on coding runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from langchain_kimi.coding.confinement import check_confinable, default_policy
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.testing import KimiServer

PAGE = Path(__file__).parents[2] / "docs" / "coding.md"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not there")
def test_the_code_of_the_page_runs(
    repository: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        check_confinable(default_policy(), allow_unconfined=False)
    except CodingError as error:
        pytest.skip(str(error))
    repository.rename(place / "project")
    (place / "here").mkdir()
    monkeypatch.chdir(place / "here")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    with KimiServer(dialect="vllm") as server:
        monkeypatch.setenv("NVIDIA_BASE_URL", server.base_url)
        for block in blocks:
            exec(compile(block, "docs", "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out.startswith("done ")
    assert (place / "here" / "journal.sqlite").exists()
