"""A small repository with three bugs, and a workspace on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from langchain.agents.middleware import HostExecutionPolicy

from langchain_kimi.coding import Workspace, coding_tools, merge_tools
from langchain_kimi.coding.trees import remove

NAMES = ("add", "double", "negate")
BROKEN = {
    "add": "def add(a, b):\n    return a - b\n",
    "double": "def double(a):\n    return a\n",
    "negate": "def negate(a):\n    return a\n",
}
MENDED = {"add": ("a - b", "a + b"), "double": ("return a", "return 2 * a")}
MENDED["negate"] = ("return a", "return -a")
CHECKS = {"add": "add(2, 3) == 5", "double": "double(4) == 8", "negate": "negate(5) == -5"}
PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
"""The system's, which users besides ours may run."""
TESTS = f"{PYTHON} -B check.py"
POLICY = HostExecutionPolicy(command_timeout=20, cpu_time_seconds=20, memory_bytes=2_000_000_000)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "safe.directory=*"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def as_nobody(place: Path, script: str, *, namespaces: bool = True) -> str:
    """Run a script on the repository as a user without rights, in a folder of that user.

    `sh(workspace, agent, command)` and `open_workspace(repository)` are there, as `repository`.

    Args:
        place: The folder; the repository is `calc` in it.
        script: The script.
        namespaces: Whether user namespaces are to be used, as where a container forbids them.
    """
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(place)], check=True)
    done = subprocess.run(
        [sys.executable, "-c", f"{_BECOME_NOBODY}\n{dedent(script)}", str(place), str(namespaces)],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NVIDIA_API_KEY": SECRET},
    )
    if "no namespaces here" in done.stdout:
        pytest.skip("user namespaces cannot be made here")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


NOBODY = 65_534
SECRET = "nvapi-secret-of-the-caller"
_BECOME_NOBODY = """
import ctypes, os, sys
from pathlib import Path
from langchain_kimi.coding import CodingError, Limits, Workspace, confinement, namespaces
from tests.coding.conftest import NOBODY, git, open_workspace, sh
import concurrent.futures.thread  # what is found later cannot be read any more
place, wanted = Path(sys.argv[1]), sys.argv[2] == "True"
repository = place / "calc"
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a process that began as this user: "dumpable"
    os.environ["PATH"] = "/usr/local/bin:/usr/bin:/bin"
if not wanted:
    confinement.has_namespaces = namespaces.has_namespaces = lambda: False
elif not namespaces.has_namespaces():
    sys.exit(print("no namespaces here"))
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """Return a folder that other users can enter, as commands do not run as root."""
    folder = Path(tempfile.mkdtemp(prefix="coding-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    remove(folder)


@pytest.fixture
def repository(place: Path) -> Path:
    """A small repository with three functions and three tests, all of which fail."""
    folder = place / "calc"
    folder.mkdir()
    for name, text in BROKEN.items():
        (folder / f"{name}.py").write_text(text)
    checks = "\n".join(
        f"if {name!r} in wanted:\n    from {name} import {name}\n    assert {check}, {name!r}"
        for name, check in CHECKS.items()
    )
    wanted = f"import sys\nwanted = sys.argv[1:] or {NAMES!r}\n"
    (folder / "check.py").write_text(f"{wanted}{checks}\nprint('green')\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Begin")
    return folder


def open_workspace(repository: Path, **options: Any) -> Workspace:
    """Open a workspace, also where nothing holds commands."""
    return Workspace(repository, **{"policy": POLICY, "allow_unconfined": True, **options})


def sh(workspace: Workspace, agent: str, command: str) -> str:
    """Run a command as a sub-agent."""
    with workspace.copies.get(agent).held() as copy:
        return copy.run(command, lambda _: None).output


@pytest.fixture
def workspace(repository: Path) -> Iterator[Workspace]:
    made = open_workspace(repository)
    yield made
    made.delete()


class Tools:
    """The tools, called as a sub-agent of a name would."""

    def __init__(self, workspace: Workspace) -> None:
        self._tools = {one.name: one for one in (*coding_tools(workspace), *merge_tools(workspace))}

    async def __call__(self, agent: str, tool: str, **arguments: Any) -> str:
        config: Any = {"configurable": {"subagent": agent}}
        return str(await self._tools[tool].ainvoke(arguments, config))
