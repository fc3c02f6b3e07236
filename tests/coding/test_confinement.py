"""What commands reach: git to read, no key, no other folder, nothing after their end."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from langchain_kimi.coding import Workspace
from tests.coding.conftest import SECRET, as_nobody, sh

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not there"),
]

_READ_KEYS = "for p in /proc/[0-9]*; do tr '\\0' '\\n' < $p/environ; done 2>/dev/null | rev"
"""Backwards, for what is printed as it is gets masked."""
_BACKWARDS = SECRET[::-1]


def test_git_reads_the_copy_and_its_history(workspace: Workspace) -> None:
    shown = sh(workspace, "one", "echo x >> add.py; git status -s; git log --oneline; git diff")
    assert " M add.py" in shown
    assert "Begin" in shown
    assert "+x" in shown
    assert "fatal" not in shown


def test_without_root_namespaces_keep_keys_and_folders(place: Path, repository: Path) -> None:
    as_nobody(
        place,
        f"""
        workspace = open_workspace(repository, allow_unconfined=False)
        sh(workspace, "two", "echo mine > mine.py")
        assert {_BACKWARDS!r} not in sh(workspace, "one", {_READ_KEYS!r})
        for change in (
            "echo x >> ../../git/config",
            "echo x > ../two/mine.py",
            f"echo x > {{repository}}/.git/hooks/post-checkout",
            f"echo x > {{repository}}/add.py",
            "git checkout -q langchain-kimi/result",
            "unshare --user --map-root-user --mount mount -o remount,bind,rw ../..",
        ):
            told = sh(workspace, "one", change)
            assert "ead-only" in told or "denied" in told, (change, told)
        told = sh(workspace, "one", "echo a > a.py; echo b > $HOME/b; cat a.py $HOME/b; id -u")
        assert told == f"a\\nb\\n{{os.getuid()}}", told
        assert "+a" in workspace.diff("one") and "Merged one" in workspace.merge("one")
        workspace.delete()
        """,
    )


def test_without_root_nothing_outlives_a_command_in_namespaces(
    place: Path, repository: Path
) -> None:
    mark = "sleep {300 + os.getpid() % 50}.75"
    as_nobody(
        place,
        f"""
        workspace = open_workspace(repository, allow_unconfined=False)
        sh(workspace, "one", f"env -i setsid nohup {mark} >/dev/null 2>&1 & sleep 0.2")
        wanted = f"{mark}".encode().replace(b" ", b"\\0")
        left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if wanted in p.read_bytes()]
        assert not left, left
        """,
    )


def test_commands_that_nothing_would_hold_are_refused(place: Path, repository: Path) -> None:
    told = as_nobody(
        place,
        f"""
        try:
            Workspace(repository)
        except CodingError as error:
            print(error)
        workspace = open_workspace(repository, allow_unconfined=True)
        assert {_BACKWARDS!r} in sh(workspace, "one", {_READ_KEYS!r}), "the docs say so"
        workspace.delete()
        """,
        namespaces=False,
    )
    assert "all rights of this process" in told
    assert "allow_unconfined=True" in told


def test_git_is_not_run_with_a_config_that_a_command_changed(place: Path, repository: Path) -> None:
    trap = place / "sprung"
    told = as_nobody(
        place,
        f"""
        workspace = open_workspace(repository)
        config = workspace.folder / "git/config"
        plain = config.read_bytes()
        plant = f'printf "[filter \\"x\\"]\\n clean = touch {trap}; cat\\n" >> {{config}}'
        sh(workspace, "one", f"{{plant}}; echo '* filter=x' > .gitattributes; echo x > x.py")
        assert config.read_bytes() != plain
        for use in (workspace.diff, workspace.merge):
            try:
                use("one")
            except CodingError as error:
                print(error)
        config.write_bytes(plain)
        assert "+x" in workspace.diff("one")
        workspace.delete()
        """,
        namespaces=False,
    )
    assert told.count("was changed by something else than this workspace") == 2
    assert not trap.exists()
