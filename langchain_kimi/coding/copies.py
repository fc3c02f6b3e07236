"""Working copies: one git worktree for each sub-agent, with a branch of its own."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from langchain_kimi.coding.confinement import Confinement, Limits
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.git import Git
from langchain_kimi.coding.store import Store
from langchain_kimi.coding.trees import entries, remove
from langchain_kimi.tools.process import ExecutionPolicy, Outcome

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")
TRIAL = "merging"
"""The copy in which a merge is tested: nobody's."""


class Copy:
    """A working copy and its branch. All use of it is one after the other.

    So no command runs while the file tools or git are in it, and nothing that a command put there
    can be swapped under them.

    Args:
        name: The sub-agent's id.
        folder: The folder of the workspace.
        store: The git directory that it belongs to.
        confinement: Runs its commands.
    """

    def __init__(self, name: str, folder: Path, store: Store, confinement: Confinement) -> None:
        self.name = name
        self.path = folder / "trees" / name
        self.home = folder / "home" / name
        self.confinement = confinement
        self._ref = f"refs/heads/agents/{name}"
        self._store = store
        self._lock = threading.RLock()
        self._made = folder / "made" / name
        self._admin = store.directory / "worktrees" / name
        self._git = Git(
            directory=self._admin, tree=self.path, common=store.directory, config=store.config
        )

    @contextmanager
    def held(self) -> Iterator[Copy]:
        """Use the copy alone; it is made, found again or put right first."""
        with self._lock:
            if not self._made.exists() or self.path.is_symlink() or not self.path.is_dir():
                self._make()
            self._tie()
            yield self

    def _make(self) -> None:
        """Check the branch out: a new one from the target, or the one that is there."""
        self.confinement.end_all()
        remove(self.path)
        remove(self.home)
        for folder in (self.path, self.home, self._admin, self._made.parent):
            folder.mkdir(parents=True, exist_ok=True)
        (self._admin / "index").unlink(missing_ok=True)
        self._tie()
        self._git("read-tree", "--reset", "-u", self._ref)
        self.confinement.own(self.path)
        self.confinement.own(self.home)
        self.confinement.check_reach(self.path)
        self._made.touch()

    def _tie(self) -> None:
        """Tie the copy to its branch, wherever a command or a kill has left it."""
        self._admin.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("HEAD", f"ref: {self._ref}\n"),
            ("commondir", "../..\n"),
            ("gitdir", f"{self.path}/.git\n"),
            ("locked", "git worktree prune leaves it alone\n"),
        ):
            (self._admin / name).write_text(text)
        for lock in (*self._admin.glob("*.lock"), self._store.directory / f"{self._ref}.lock"):
            lock.unlink(missing_ok=True)
        link = self.path / ".git"
        if not os.path.lexists(link):
            link.write_text(f"gitdir: {self._admin}\n")
            self.confinement.own(link)
        if not self._store.commit_of(self._ref):
            self._store.git("update-ref", self._ref, self._store.head)
        if not (self._admin / "index").exists():
            self._git("read-tree", self._ref)

    def run(self, command: str, started: Callable[[int], None]) -> Outcome:
        """Run a shell command in the copy."""
        return self.confinement.run(command, self.path, self.home, started)

    def commit(self) -> str:
        """Put everything that changed on the branch; return the branch's commit.

        Raises:
            CodingError: What changed is too large, or a repository was made within the copy.
        """
        self._refuse_nested()
        self._refuse_large()
        git, head = self._git, self._store.commit_of(self._ref)
        git("add", "--all")
        tree = git("write-tree")
        if tree == git("rev-parse", f"{head}^{{tree}}"):
            return head
        return self._record(tree, f"Work of {self.name}", head)

    def _record(self, tree: str, message: str, *parents: str) -> str:
        git, parts = self._git, [part for parent in parents for part in ("-p", parent)]
        commit = git("commit-tree", tree, *parts, "-m", message)
        git("update-ref", self._ref, commit, parents[0])
        return commit

    def take(self, tree: str, other: str) -> None:
        """Go over to a merged tree, whose other parent is a commit."""
        head = self._store.commit_of(self._ref)
        self._git("read-tree", "-u", "--reset", tree)
        self._record(tree, f"Merge {self._store.target}", head, other)
        self.confinement.own(self.path)

    def show(self, commit: str) -> None:
        """Let the branch be a commit, in a copy that is made anew when it is next held."""
        self.remove()
        self._store.git("update-ref", self._ref, commit)

    def remove(self, *, branch: bool = False) -> None:
        """Remove the copy; its branch stays in the store, unless that is to go too."""
        with self._lock:
            self.confinement.end_all()
            self._made.unlink(missing_ok=True)
            for folder in (self.path, self.home, self._admin):
                remove(folder)
            if branch:
                self._store.git("update-ref", "-d", self._ref)

    def _refuse_nested(self) -> None:
        """Refuse a `.git` below the top: git would go into it and believe its config."""
        for place in entries(self.path):
            if place.name.casefold() == ".git" and place.parent != self.path:
                inside = place.relative_to(self.path)
                msg = f"{inside} is a repository within the repository. Remove it first."
                raise CodingError(msg)

    def _refuse_large(self) -> None:
        """Refuse changes that would take minutes and gigabytes to store, show and merge."""
        listed = self._git.data("ls-files", "-z", "--modified", "--others", "--exclude-standard")
        sizes: dict[str, int] = {}
        for name in filter(None, listed.split(b"\0")):
            with suppress(FileNotFoundError):
                sizes[os.fsdecode(name)] = (self.path / os.fsdecode(name)).lstat().st_size
        total, most = sum(sizes.values()), self.confinement.limits.change_bytes
        if total > most:
            largest = max(sizes, key=sizes.__getitem__)
            msg = (
                f"The changed files have {total:,} bytes, of which {largest!a} has "
                f"{sizes[largest]:,}; at most {most:,} are stored. Remove what is not part of the "
                "work, or name it in .gitignore."
            )
            raise CodingError(msg)


class Copies:
    """All working copies of a workspace, by sub-agent id.

    Args:
        folder: The folder of the workspace.
        store: The git directory.
        policy: The execution policy of commands.
        limits: Further limits on the host.
        commands: How many commands run at the same time.
        read_only: Folders that commands do not write to, except for their own copy.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        policy: ExecutionPolicy,
        limits: Limits,
        *,
        commands: int,
        read_only: Sequence[Path],
    ) -> None:
        self._folder = folder
        self._store = store
        self._policy = policy
        self._limits = limits
        self._read_only = read_only
        self._slots = threading.Semaphore(commands)
        self._copies: dict[str, Copy] = {}
        self._lock = threading.Lock()
        self.closed = False
        """Whether the folder may be somebody else's by now."""

    def get(self, name: str) -> Copy:
        """Return the working copy of a sub-agent; it is made when it is first held.

        Raises:
            CodingError: The name is no sub-agent's id, or the workspace is closed.
        """
        if self.closed:
            msg = f"The workspace is closed. Make another one on {self._folder} to go on."
            raise CodingError(msg)
        if not _NAME.fullmatch(name):
            msg = f"{name[:100]!r} is no id of a sub-agent."
            raise CodingError(msg)
        with self._lock:
            if name not in self._copies:
                place = f"{self._folder}\0{name}"
                confinement = Confinement(
                    self._policy, self._limits, place, self._read_only, self._slots
                )
                self._copies[name] = Copy(name, self._folder, self._store, confinement)
            return self._copies[name]

    def known(self, name: str) -> Copy:
        """Return the working copy of a sub-agent that has worked in one.

        Raises:
            CodingError: There is none.
        """
        copy = self.get(name)
        if not self._store.commit_of(f"refs/heads/agents/{name}"):
            there = ", ".join(self.names()) or "none"
            msg = f"{name!r} has no working copy. There are: {there}."
            raise CodingError(msg)
        return copy

    def names(self) -> list[str]:
        """Return the ids of all sub-agents that have a branch."""
        listed = self._store.git("for-each-ref", "--format=%(refname)", "refs/heads/agents/")
        names = [ref.removeprefix("refs/heads/agents/") for ref in listed.splitlines()]
        return [name for name in names if name != TRIAL]
