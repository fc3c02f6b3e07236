"""The Python tool."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware import DockerExecutionPolicy, HostExecutionPolicy

from langchain_kimi.tools import process, python_tool


def call(tool: Any, code: str) -> Any:
    return tool.invoke({"name": tool.name, "args": {"code": code}, "id": "1", "type": "tool_call"})


@pytest.fixture
def tool(tmp_path: Path) -> Any:
    return python_tool(tmp_path)


def test_it_returns_what_is_printed(tool, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("17\n25\n")
    result = call(tool, "print(sum(int(line) for line in open('data.txt')))")
    assert (result.status, result.content) == ("success", "42")
    assert call(tool, "pass").content == "[no output]"


def test_a_failure_shows_the_traceback(tool) -> None:
    result = call(tool, "print('so far')\n1 / 0")
    assert result.status == "error"
    assert result.content.startswith("The script failed with exit code 1.\nso far\n[stderr]\n")
    assert 'File "<python>", line 2' in result.content
    assert "ZeroDivisionError" in result.content


def test_no_key_of_the_caller_is_seen(tool, monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-hidden")
    seen = call(tool, "import os; print(sorted(os.environ))").content
    assert "NVIDIA_API_KEY" not in seen
    assert "PATH" in seen


def test_keys_of_the_caller_are_masked_in_what_is_printed(tool, monkeypatch) -> None:
    """As a script could read them from its parent through `/proc`."""
    key = "nvapi-0123456789abcdef"
    monkeypatch.setenv("NVIDIA_API_KEY", key)
    monkeypatch.setenv("OTHER_TOKEN", "t0ken-with-a-tail")
    monkeypatch.setenv("LOCAL_API_KEY", "not-needed")
    code = f"import sys\nprint('a', '{key}', 'not-needed')\nsys.exit('b t0ken-with-a-tail c')"
    result = call(tool, code)
    mask = "[a key of the caller's environment]"
    assert f"\na {mask} not-needed\n[stderr]\nb {mask} c" in result.content
    assert key not in repr(result)


def test_a_key_that_the_limit_of_output_cuts_is_masked(tool, monkeypatch) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-0123456789abcdef")
    result = call(tool, "print('x' * 19_985 + 'nvapi-0123456789abcdef')").content
    assert "[a key of the caller's environment]\n[cut: " in result
    assert "nvapi" not in result


def test_a_script_that_runs_on_is_ended_with_its_children(tmp_path: Path, runs) -> None:
    tool = python_tool(tmp_path, policy=HostExecutionPolicy(command_timeout=1.0))
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "print('started', flush=True)\n"
        "time.sleep(600)\n"
    )
    result = call(tool, code)
    assert result.content == "The script was ended after 1 seconds.\nstarted"
    assert not runs(int((tmp_path / "child").read_text()))


def test_a_child_that_is_left_behind_ends_with_the_script(tool, tmp_path: Path, runs) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "print('done')\n"
    )
    assert call(tool, code).content == "done"
    assert not runs(int((tmp_path / "child").read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not show environments")
def test_a_child_that_left_the_group_ends_too(tool, tmp_path: Path, runs) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "                         start_new_session=True)\n"
        "open('child', 'w').write(str(child.pid))\n"
        "print('done')\n"
    )
    assert call(tool, code).content == "done"
    assert not runs(int((tmp_path / "child").read_text()))


def test_a_child_that_cannot_be_ended_is_not_waited_for(tool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(process, "_end_marked", lambda _: None)
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "                         start_new_session=True)\n"
        "open('child', 'w').write(str(child.pid))\n"
        "print('done')\n"
    )
    try:
        assert call(tool, code).content == "done"
    finally:
        os.kill(int((tmp_path / "child").read_text()), 9)


@pytest.mark.parametrize("code", ["print('x') # \ud800", "a\0b", "print('\x1b')", "\ufeffprint(1)"])
def test_any_text_is_taken_as_code(tool, code: str) -> None:
    assert call(tool, code).status in {"success", "error"}


def test_output_and_input_are_bounded(tool) -> None:
    result = call(tool, "print('x' * 5_000_000)")
    assert result.content.endswith("[cut: 4,980,001 more characters of output]")
    assert len(result.content) < 21_000
    assert call(tool, "# " + "y" * 1_000_000 + "\nprint('read')").content == "read"


def test_memory_is_bounded(tmp_path: Path) -> None:
    policy = HostExecutionPolicy(memory_bytes=300_000_000)
    result = call(python_tool(tmp_path, policy=policy), "print(len(bytearray(10**9)))")
    assert "MemoryError" in result.content


def test_another_policy_runs_its_own_python(tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\ncat > /dev/null\necho "$@"\n')
    docker.chmod(0o755)
    tool = python_tool(tmp_path, policy=DockerExecutionPolicy(binary=str(docker)))
    command = call(tool, "print(1)").content
    assert "run -i --rm --network none" in command
    assert "python:3.12-alpine3.19 python3 -I -c import faulthandler" in command


def test_the_root_must_exist(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        python_tool(tmp_path / "missing")
