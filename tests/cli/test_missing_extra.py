"""Commands whose extra is not installed."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", [["ingest", "docs"], ["search", "a question"]])
def test_retrieval_names_its_extra(command: list[str]) -> None:
    code = (
        f"import sys; sys.modules['PIL'] = None\nfrom langchain_kimi.cli import app; app({command})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith("the extra: pip install 'langchain-kimi-nvidia[rag]'\n")
    assert done.stderr.count("\n") == 1
