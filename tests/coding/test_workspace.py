"""One workspace in a folder, targets that can be made, and merges that stop nobody."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from langchain_kimi.coding import CodingError, Workspace
from tests.coding.conftest import Tools, git, open_workspace, sh

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not there"),
]


def test_a_folder_has_one_workspace_at_a_time(repository: Path, place: Path) -> None:
    first = open_workspace(repository)
    with pytest.raises(CodingError, match="Another workspace"):
        open_workspace(repository)
    other = open_workspace(repository, folder=place / "other", target="other/result")
    other.delete()
    first.close()
    second = open_workspace(repository)
    with pytest.raises(CodingError, match="is closed"):
        first.copies.get("one")
    second.delete()


def test_a_workspace_that_could_not_be_opened_frees_its_folder(repository: Path) -> None:
    with pytest.raises(CodingError, match="no-such-branch"):
        open_workspace(repository, base="no-such-branch")
    open_workspace(repository).delete()


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("HEAD", "no name for a branch"),
        ("-x", "no name for a branch"),
        ("a..b", "no name for a branch"),
        ("refs/heads/x", "no name for a branch"),
        ("agents/one", "no name for a branch"),
        ("main", "cannot be made"),
        ("main/result", "cannot be made"),
        ("feature", "cannot be made"),
    ],
)
def test_a_target_that_cannot_be_made_is_refused_at_once(
    repository: Path, target: str, told: str
) -> None:
    git(repository, "branch", "feature/one")
    with pytest.raises(CodingError, match=told):
        open_workspace(repository, target=target)
    assert git(repository, "branch", "--format=%(refname)").split() == [
        "refs/heads/feature/one",
        "refs/heads/main",
    ]


def test_a_target_that_is_checked_out_is_brought_there_later(repository: Path) -> None:
    workspace = open_workspace(repository)
    for agent in ("one", "two"):
        sh(workspace, agent, f"echo {agent} > {agent}.txt")
    workspace.merge("one")
    git(repository, "checkout", "-q", "langchain-kimi/result")
    told = workspace.merge("two")
    assert "Merged two" in told
    assert "it is not yet in the repository" in told
    with pytest.raises(CodingError, match="is checked out there"):
        workspace.delete()
    with pytest.raises(CodingError, match="is checked out there"):
        workspace.close()
    git(repository, "checkout", "-q", "main")
    again = open_workspace(repository)
    assert git(repository, "show", "langchain-kimi/result:two.txt") == "two"
    again.delete()


def test_patches_come_in_the_order_of_their_merges(workspace: Workspace) -> None:
    for text in ("first", "second", "third"):
        sh(workspace, "one", f"echo {text} > word.txt")
        workspace.merge("one")
    added = [
        one
        for one in workspace.patches("one").splitlines()
        if one.startswith("+") and "/" not in one
    ]
    assert added == ["+first", "+second", "+third"]


async def test_a_merge_that_tests_stops_nobody(repository: Path, place: Path) -> None:
    go = place / "go"
    workspace = open_workspace(
        repository, test_command=f"while [ ! -e {go} ]; do sleep 0.05; done", commands=2
    )
    use = Tools(workspace)
    await use("one", "write_file", path="new.py", content="x = 1\n")
    merging = [asyncio.ensure_future(use("", "merge", agent_id="one"))]
    async with asyncio.timeout(60):
        while not (workspace.folder / "trees/merging/new.py").exists():  # noqa: ASYNC110  a thread
            await asyncio.sleep(0.02)
        merging += [asyncio.ensure_future(use("", "merge", agent_id="one")) for _ in range(9)]
        listed = await asyncio.gather(*(use(f"b{n}", "list_files") for n in range(10)))
        assert all("add.py" in one for one in listed)
        assert "done" in await use("b1", "run_command", command="echo done")
        await asyncio.to_thread(lambda: None)
        assert not any(one.done() for one in merging)
        go.touch()
        told = await asyncio.gather(*merging)
    assert sum("Merged one" in one for one in told) == 1
    assert sum("nothing that is not in" in one for one in told) == 9
    workspace.delete()


async def test_commands_run_as_many_at_a_time_as_asked(repository: Path, place: Path) -> None:
    shared = place / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    workspace = open_workspace(repository, commands=1)
    use = Tools(workspace)
    busy = shared / "busy"
    command = f"mkdir {busy} && sleep 0.2 && rmdir {busy} && echo alone"
    found = await asyncio.gather(
        *(use(f"a{n}", "run_command", command=command) for n in range(4)),
        use("a1", "list_files"),
    )
    assert found[:4] == ["alone"] * 4
    workspace.delete()
