"""Sub-agents in worktrees: three bugs mended at once, merged, green; what is hostile is held."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain.agents.middleware import HostExecutionPolicy
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from langchain_kimi.coding import (
    CodingError,
    Limits,
    Workspace,
    create_coding_agent,
    save_diffs,
)
from langchain_kimi.swarm import open_journal, running
from langchain_kimi.swarm.live_runs import leave
from tests.coding.conftest import MENDED, NAMES, POLICY, PYTHON, TESTS, Tools, git, open_workspace
from tests.swarm.fakes import FakeModel, calls, prompt_of, say, steps_of

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not there"),
]

ETC = Path("/etc")


def is_orchestrator(messages: Any) -> bool:
    return messages[0].text.startswith("You lead programmers")


def working(workspace: Workspace, names: tuple[str, ...]) -> FakeModel:
    """Lead one coder for each function, each of which looks, mends and tests; then merge all."""

    def rule(messages: Any) -> Any:
        step = steps_of(messages)
        if not is_orchestrator(messages):
            name = prompt_of(messages).removeprefix("Mend ")
            if step == 0:
                return calls(("read_file", {"path": f"{name}.py"}))
            if step == 1:
                old, new = MENDED[name]
                edit = {"path": f"{name}.py", "old_text": old, "new_text": new}
                return calls(("edit_file", edit))
            if step == 2:
                return calls(("run_command", {"command": f"{TESTS} {name}"}))
            return say(f"{name}: {messages[-1].text}")
        if step == 0:
            args = {"description": "mend", "prompt_template": "Mend {{item}}", "items": names}
            return calls(("agent_swarm", {**args, "subagent_type": "coder"}))
        if step == 1:
            return calls(*(("merge", {"agent_id": one}) for one in workspace.agents()))
        return say("\n".join(m.text for m in messages if m.type == "tool"))

    return FakeModel(rule=rule)


async def test_three_sub_agents_mend_three_bugs_and_all_is_merged(
    repository: Path, place: Path
) -> None:
    workspace = Workspace(
        repository, test_command=f"{PYTHON} -B -c pass", policy=POLICY, allow_unconfined=True
    )
    journal = open_journal(place / "journal.sqlite")
    agent = create_coding_agent(
        working(workspace, NAMES), workspace, journal=journal, checkpointer=InMemorySaver()
    )
    before = git(repository, "rev-parse", "HEAD")
    found = await agent.ainvoke(
        {"messages": [HumanMessage("Mend all.")]}, {"configurable": {"thread_id": "mend"}}
    )
    assert found["status"] == "done", found["missing"]
    assert len(workspace.agents()) == 3
    git(repository, "checkout", "-q", "langchain-kimi/result")
    green = await asyncio.create_subprocess_exec(
        sys.executable, "-B", "check.py", cwd=repository, stdout=subprocess.PIPE
    )
    assert (await green.communicate())[0] == b"green\n"
    assert git(repository, "rev-parse", "main") == before
    assert git(repository, "status", "--porcelain") == ""
    names = await save_diffs(workspace, journal, "mend")
    diffs = [await journal.artifact("mend", name) for name in names]
    assert sum(b"+    return a + b" in diff[1] for diff in diffs if diff) == 1
    await journal.aclose()
    workspace.delete()


async def test_a_merge_that_turns_the_tests_red_is_not_kept(repository: Path) -> None:
    workspace = Workspace(
        repository, test_command=f"{TESTS} add", policy=POLICY, allow_unconfined=True
    )
    use = Tools(workspace)
    await use("good", "edit_file", path="add.py", old_text="a - b", new_text="a + b")
    await use("bad", "edit_file", path="add.py", old_text="def add(a, b)", new_text="def add(a)")
    assert "The tests pass" in await use("", "merge", agent_id="good")
    told = await use("", "merge", agent_id="bad")
    assert "Not merged" in told
    assert git(repository, "show", "langchain-kimi/result:add.py").endswith("a + b")
    workspace.delete()


async def test_a_conflict_is_told_brought_over_and_resolved(workspace: Workspace) -> None:
    use = Tools(workspace)
    for agent, new in (("one", "a + b"), ("two", "sum((a, b))")):
        await use(agent, "edit_file", path="add.py", old_text="a - b", new_text=new)
    assert "Merged one" in await use("", "merge", agent_id="one")
    told = await use("", "merge", agent_id="two")
    assert "two conflicts" in told
    assert "add.py" in told
    assert "conflict markers to resolve" in await use("", "update_from_target", agent_id="two")
    assert "<<<<<<<" in await use("two", "read_file", path="add.py")
    assert "conflict markers" in await use("", "merge", agent_id="two")
    await use("two", "write_file", path="add.py", content="def add(a, b):\n    return b + a\n")
    assert "return b + a" in await use("", "show_diff", agent_id="two")
    assert "Merged two" in await use("", "merge", agent_id="two")


def test_work_is_found_again_after_a_kill(repository: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _EDITS_AND_DIES, str(repository)], check=False, capture_output=True
    )
    assert ended.returncode == -9, ended.stderr
    again = open_workspace(repository)
    assert again.agents() == ["one"]
    assert "+    return a + b" in again.diff("one")
    again.close()
    last = open_workspace(repository)
    assert "+    return a + b" in last.diff("one")
    last.delete()


_EDITS_AND_DIES = """
import os, signal, sys
from langchain_kimi.coding import Workspace
workspace = Workspace(sys.argv[1], allow_unconfined=True)
with workspace.copies.get("one").held() as copy:
    (copy.path / "add.py").write_text("def add(a, b):\\n    return a + b\\n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_a_cancelled_sub_agent_leaves_no_command(repository: Path, place: Path) -> None:
    workspace = open_workspace(repository)
    mark = f"sleep {300 + os.getpid() % 50}.25"

    def rule(messages: Any) -> Any:
        if is_orchestrator(messages):
            return calls(("assign_task", {"agent": "coder", "prompt": "wait"}))
        return calls(("run_command", {"command": mark}))

    agent = create_coding_agent(
        FakeModel(rule=rule), workspace, journal=place / "j.sqlite", checkpointer=InMemorySaver()
    )
    run = asyncio.ensure_future(
        agent.ainvoke({"messages": [HumanMessage("x")]}, {"configurable": {"thread_id": "wait"}})
    )
    async with asyncio.timeout(20):
        while not _runs(mark):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)
    handle = running("wait")
    assert handle is not None
    handle.cancel()
    found = await run
    assert found["status"] == "cancelled"
    async with asyncio.timeout(10):
        while _runs(mark):  # noqa: ASYNC110  another process
            await asyncio.sleep(0.05)
    await leave("wait")
    workspace.delete()


def _runs(command: str) -> bool:
    wanted = command.encode().replace(b" ", b"\0")
    for found in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if found.read_bytes().strip(b"\0") == wanted:
                return True
        except OSError:
            continue  # it has ended
    return False


@pytest.fixture
def hostile(repository: Path, place: Path) -> tuple[Path, Path]:
    """A repository that tries to run programs by hooks, filters, diff drivers and a monitor."""
    trap = place / "sprung"
    script = place / "trap.sh"
    script.write_text(f'#!/bin/sh\necho "$0" >> {trap}\ncat\n')
    script.chmod(0o755)
    hooks = repository / ".git" / "hooks"
    for hook in (
        "post-checkout",
        "pre-commit",
        "post-commit",
        "reference-transaction",
        "pre-merge-commit",
        "post-merge",
        "post-rewrite",
        "post-index-change",
    ):
        shutil.copy(script, hooks / hook)
    for key in (
        "core.fsmonitor",
        "filter.trap.clean",
        "filter.trap.smudge",
        "diff.external",
        "diff.trap.textconv",
        "merge.trap.driver",
        "core.pager",
        "core.sshCommand",
    ):
        git(repository, "config", key, str(script))
    (repository / ".gitattributes").write_text("* filter=trap diff=trap merge=trap\n")
    (repository / "out").symlink_to("/etc")
    (repository / "passwd").symlink_to("/etc/passwd")
    plain = ["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]
    plain += ["-c", "filter.trap.clean=cat", "-c", "filter.trap.smudge=cat"]
    git(repository, *plain, "add", "-A")
    git(repository, *plain, "commit", "-q", "-m", "Traps")
    trap.unlink(missing_ok=True)
    return repository, trap


async def test_nothing_that_a_repository_names_is_run(hostile: tuple[Path, Path]) -> None:
    repository, trap = hostile
    workspace = open_workspace(repository)
    use = Tools(workspace)
    await use("one", "edit_file", path="add.py", old_text="a - b", new_text="a + b")
    await use("two", "edit_file", path="double.py", old_text="return a", new_text="return 2 * a")
    await use("", "show_diff", agent_id="one")
    assert "Merged one" in await use("", "merge", agent_id="one")
    await use("", "update_from_target", agent_id="two")
    assert "Merged two" in await use("", "merge", agent_id="two")
    workspace.delete()
    assert not trap.exists(), trap.read_text()


async def test_links_out_of_the_tree_are_not_followed(hostile: tuple[Path, Path]) -> None:
    repository, _ = hostile
    workspace = open_workspace(repository)
    use = Tools(workspace)
    for path in ("passwd", "out/passwd", "../calc/add.py", "/etc/passwd"):
        assert "root:" not in await use("one", "read_file", path=path)
    before = ETC.joinpath("passwd").read_bytes()
    for path in ("out/kimi-test", "passwd", "../escaped", ".git/config", ".git"):
        assert "Wrote" not in await use("one", "write_file", path=path, content="x"), path
    assert ETC.joinpath("passwd").read_bytes() == before
    assert not ETC.joinpath("kimi-test").exists()
    assert not (workspace.folder / "escaped").exists()
    workspace.delete()


async def test_limits_hold_from_the_first_moment(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The policy sets its own after the start, when more processes may be there already."""
    monkeypatch.setattr(resource, "prlimit", lambda *_: None)
    policy = HostExecutionPolicy(cpu_time_seconds=7, memory_bytes=512_000_000)
    use = Tools(Workspace(repository, policy=policy))
    shown = await use("one", "run_command", command="ulimit -t; ulimit -v")
    assert shown.split()[:2] == ["7", "500000"]


async def test_commands_have_limits_and_no_keys(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-secret-of-the-caller")
    policy = HostExecutionPolicy(command_timeout=3, cpu_time_seconds=2, memory_bytes=500_000_000)
    workspace = Workspace(
        repository, policy=policy, limits=Limits(processes=64), allow_unconfined=True
    )
    use = Tools(workspace)
    shown = await use("one", "run_command", command="env; cat /proc/self/environ")
    assert "nvapi-secret" not in shown
    assert "PATH=" in shown
    bomb = await use(
        "one", "run_command", command="bomb() { bomb | bomb & }; bomb; sleep 1; echo end"
    )
    assert len(bomb) < 30_000
    assert "its time was up" in await use("one", "run_command", command="sleep 60")
    spinning = await use("one", "run_command", command="while :; do :; done")
    assert "Exit code" in spinning or "time was up" in spinning
    endless = await use("one", "run_command", command="yes | head -c 50000000")
    assert len(endless) < 30_000
    hungry = await use(
        "one", "run_command", command=f"{PYTHON} -c 'print(len(bytearray(2_000_000_000)))'"
    )
    assert "2000000000" not in hungry
    assert "done" in await use("one", "run_command", command="echo done")
    workspace.delete()


def test_what_is_no_repository_is_refused(place: Path, repository: Path) -> None:
    with pytest.raises(CodingError, match="not a folder"):
        Workspace(place / "nothing")
    with pytest.raises(CodingError):
        Workspace(place, folder=place / "w")
    with pytest.raises(CodingError):
        Workspace(repository, base="no-such-branch")
    git(repository, "branch", "taken")
    with pytest.raises(CodingError, match="taken"):
        Workspace(repository, target="taken")
