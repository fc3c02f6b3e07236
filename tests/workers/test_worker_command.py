"""`langchain-kimi worker` and `queue`, as a newcomer without a key runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from langchain_kimi.cli import app
from langchain_kimi.workers import Queue

pytestmark = pytest.mark.timeout(120)


def command(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["queue", *arguments])
    return result.exit_code, result.output


def test_a_task_is_submitted_and_done_without_a_key(tmp_path: Path) -> None:
    where = ("--folder", str(tmp_path / "kept"))
    (tmp_path / "notes.txt").write_text("The oats are in the barn.\n")
    code, name = command("submit", "Where are the oats?", "--name", "oats", *where)
    assert (code, name) == (0, "oats\n")
    assert command("schedule", "yearly", "0 6 1 1 *", "Count the oats", *where)[0] == 0
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COLUMNS": "200"}
    script = str(Path(sys.executable).with_name("langchain-kimi"))
    worker = subprocess.Popen(
        [script, "worker", *where, "--root", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )
    try:
        with Queue(tmp_path / "kept") as queue:
            ended = queue.wait("oats", seconds=60)
    finally:
        worker.send_signal(signal.SIGTERM)
        said = worker.communicate(timeout=60)[0]
    assert ended.outcome is not None
    assert ended.outcome["status"] == "done"
    assert "no model" in said
    assert "oats: done" in said
    assert "Traceback" not in said
    assert worker.returncode == 0

    listed = command("list", *where)[1]
    assert "oats  ended (done)" in listed
    assert "schedule yearly: 0 6 1 1 *" in listed
    assert ended.outcome["result"].splitlines()[0] in command("show", "oats", *where)[1]
    assert command("unschedule", "yearly", *where)[0] == 0
    assert "yearly" not in command("list", *where)[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nobody"], "no run 'nobody'"),
        (["cancel", "nobody"], "no run 'nobody'"),
        (["unschedule", "nobody"], "no schedule 'nobody'"),
        (["schedule", "x", "every day", "y"], "is no schedule"),
        (["submit", " "], "the task is empty"),
    ],
)
def test_errors_are_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["queue", *arguments, "--folder", str(tmp_path)])
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_database_that_is_not_there_is_told_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://kimi:s3cret-word@/kimi?host={tmp_path}&connect_timeout=2"
    result = CliRunner().invoke(app, ["queue", "list", "--database", url])
    assert result.exit_code == 1
    assert "cannot be reached" in result.output
    assert "s3cret" not in result.output
