"""Working copies keep their work, whatever a command or a kill left in them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from langchain_kimi.coding import CodingError, Limits, Workspace
from tests.coding.conftest import PYTHON, as_nobody, git, open_workspace, sh

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not there"),
]

_DEEP = """
import os
os.mkdir("deep")
os.chdir("deep")
for _ in range(1_100):
    os.mkdir("d")
    os.chdir("d")
"""


def write(workspace: Workspace, agent: str, name: str, text: str) -> None:
    with workspace.copies.get(agent).held() as copy:
        (copy.path / name).write_text(text)


def test_lock_files_of_a_kill_do_not_stop_the_work(repository: Path) -> None:
    workspace = open_workspace(repository)
    write(workspace, "one", "new.py", "x = 1\n")
    store = workspace.folder / "git"
    (store / "worktrees/one/index.lock").touch()
    (store / "refs/heads/agents/one.lock").touch()
    assert "+x = 1" in workspace.diff("one")
    workspace.close()
    (store / "packed-refs.lock").touch()
    (store / "refs/heads/langchain-kimi/result.lock").touch()
    again = open_workspace(repository)
    assert "Merged one" in again.merge("one")
    again.delete()


@pytest.mark.parametrize("lost", ["", "worktrees/one", "worktrees/one/HEAD", "worktrees/one/index"])
def test_work_is_kept_when_the_git_file_is_lost(workspace: Workspace, lost: str) -> None:
    sh(workspace, "one", "echo work > important.py; echo double.py > .gitignore; rm .git")
    admin = workspace.folder / "git" / lost
    if lost:
        shutil.rmtree(admin) if admin.is_dir() else admin.unlink()
    write(workspace, "two", "other.py", "x = 2\n")
    assert "Merged two" in workspace.merge("two")
    assert "+work" in workspace.diff("one")
    assert "deleted file" not in workspace.diff("one")
    assert "Begin" in sh(workspace, "one", "git log --format=%s")
    assert "Merged one" in workspace.merge("one")


def test_prune_by_a_command_takes_nothing(place: Path, repository: Path) -> None:
    as_nobody(
        place,
        """
        workspace = open_workspace(repository)
        sh(workspace, "one", "echo work > important.py; rm .git")
        sh(workspace, "two", "git worktree prune; git worktree prune --expire=now")
        assert (workspace.folder / "git/worktrees/one").exists()
        assert "+work" in workspace.diff("one")
        """,
        namespaces=False,
    )


def test_folders_too_deep_are_told_and_removed(repository: Path) -> None:
    workspace = open_workspace(repository)
    sh(workspace, "deep", f"{PYTHON} -c '{_DEEP}'")
    write(workspace, "other", "new.py", "x = 1\n")
    for use in (workspace.diff, workspace.merge, workspace.update, workspace.remove):
        with pytest.raises(CodingError, match="deep holds folders more than 200 deep"):
            use("deep")
    with pytest.raises(CodingError, match="deep: deep holds folders"):
        workspace.close()
    assert [one.name for one in (workspace.folder / "trees").iterdir()] == ["deep"]
    again = open_workspace(repository)
    sh(again, "deep", "rm -rf deep")
    assert again.diff("deep") == ""
    sh(again, "deep", f"{PYTHON} -c '{_DEEP}'")
    again.delete()
    assert not again.folder.exists()


def test_large_changes_are_refused_by_name(repository: Path) -> None:
    workspace = open_workspace(repository, limits=Limits(change_bytes=100_000))
    sh(workspace, "one", "echo data.bin > .gitignore; head -c 99000 /dev/zero > data.bin")
    sh(workspace, "one", "head -c 60000 /dev/zero > a.bin; head -c 61000 /dev/zero > b.bin")
    with pytest.raises(CodingError, match=r"121,009 bytes, of which 'b.bin' has 61,000"):
        workspace.merge("one")
    sh(workspace, "one", "rm a.bin")
    assert "Binary files /dev/null and b/b.bin differ" in workspace.diff("one")
    assert "Merged one" in workspace.merge("one")
    assert "GIT binary patch" in workspace.patches("one")
    assert len(git(repository, "show", "langchain-kimi/result:b.bin")) == 61_000
    workspace.delete()


def test_a_copy_that_checks_the_target_out_does_not_move_it(place: Path, repository: Path) -> None:
    before = git(repository, "rev-parse", "HEAD")
    told = as_nobody(
        place,
        f"""
        workspace = open_workspace(repository, test_command="false")
        go = "git checkout -q langchain-kimi/result && echo bad > broken.py"
        print(sh(workspace, "one", f"{{go}}; git branch --show-current"))
        assert "+bad" in workspace.diff("one")
        try:
            workspace.merge("one")
        except CodingError as error:
            print(error)
        assert workspace._store.git("rev-parse", workspace.target) == {before!r}
        sh(workspace, "two", "git checkout -q --detach; echo work > work.py")
        assert "+work" in workspace.diff("two")
        """,
        namespaces=False,
    )
    assert "langchain-kimi/result" in told
    assert "Not merged: with one the tests failed" in told
    assert git(repository, "branch", "--list", "langchain-kimi/*") == ""


def test_a_target_that_a_command_moved_is_put_back_and_told(place: Path, repository: Path) -> None:
    told = as_nobody(
        place,
        """
        workspace = open_workspace(repository)
        me = "git -c user.name=x -c user.email=x@localhost"
        change = f"echo bad > broken.py; git add -A; {me} commit -qm sly"
        print(sh(workspace, "one", f"git checkout -q langchain-kimi/result; {change}"))
        sh(workspace, "two", "echo good > good.py")
        try:
            workspace.merge("two")
        except CodingError as error:
            print(error)
        moved = git(workspace.folder / "git", "for-each-ref", "refs/coding/moved")
        print("Kept:", git(workspace.folder / "git", "show", moved.split()[0]))
        print(workspace.merge("two"))
        assert "+bad" in workspace.diff("one")
        """,
        namespaces=False,
    )
    assert "was moved to" in told
    assert "+bad" in told.partition("Kept:")[2]
    assert "Merged two" in told
    assert git(repository, "ls-tree", "--name-only", "langchain-kimi/result", "broken.py") == ""
    assert git(repository, "show", "langchain-kimi/result:good.py") == "good"
