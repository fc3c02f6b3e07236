"""Working copies: one git worktree for each sub-agent, with a branch of its own."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from langchain_kimi.coding.confinement import Confinement, Limits
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.git import Git
from langchain_kimi.coding.store import Store
from langchain_kimi.coding.trees import entries, remove_tree
from langchain_kimi.tools.process import ExecutionPolicy, Outcome

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,80}")


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
        self.branch = f"agents/{name}"
        self.confinement = confinement
        self._store = store
        self._lock = threading.RLock()
        self._admin = (store.git.directory or folder) / "worktrees" / name
        self._git = Git(directory=self._admin, tree=self.path)
        self._is_found = False

    @contextmanager
    def held(self, hub: threading.RLock) -> Iterator[Copy]:
        """Use the copy alone; it is made, or found again, first."""
        with self._lock:
            if not (self._admin / "coding-ready").exists():
                with hub:
                    self._make()
            elif not self._is_found:
                self._find_again()
            self._is_found = True
            yield self

    def _find_again(self) -> None:
        """Free what a kill in the middle of a git command left: no other process works here."""
        for lock in (*self._admin.glob("*.lock"), *self._branch_locks()):
            lock.unlink(missing_ok=True)

    def _branch_locks(self) -> Iterator[Path]:
        yield from self._admin.parents[1].glob(f"refs/heads/{self.branch}.lock")

    def _make(self) -> None:
        """Check the branch out: a new one from the target, or the one that is there."""
        self.confinement.end_all()
        remove_tree(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)
        hub, store = self._store.git, self._store
        self._forget()
        if not store.commit_of(f"refs/heads/{self.branch}"):
            hub("update-ref", f"refs/heads/{self.branch}", store.head)
        hub("worktree", "add", "-q", "--force", "--lock", str(self.path), self.branch)
        self.own()
        self.confinement.check_reach(self.path)
        (self._admin / "coding-ready").touch()

    def own(self) -> None:
        """Give all files to the user that commands run as."""
        self.confinement.own(self.path)
        self.confinement.own(self.home)

    def run(self, command: str, started: Callable[[int], None]) -> Outcome:
        """Run a shell command in the copy."""
        return self.confinement.run(command, self.path, self.home, started)

    def commit(self, message: str) -> str:
        """Put everything that changed on the branch; return the branch's commit.

        Raises:
            CodingError: A repository was made within the copy.
        """
        self._refuse_nested()
        git, branch = self._git, f"refs/heads/{self.branch}"
        git("symbolic-ref", "HEAD", branch)  # a command may have gone to another branch
        git("add", "--all")
        tree, head = git("write-tree"), git("rev-parse", branch)
        if tree == git("rev-parse", f"{branch}^{{tree}}"):
            return head
        return self._record(tree, message, head)

    def _record(self, tree: str, message: str, *parents: str) -> str:
        git, parts = self._git, [part for parent in parents for part in ("-p", parent)]
        commit = git("commit-tree", tree, *parts, "-m", message)
        git("update-ref", f"refs/heads/{self.branch}", commit, parents[0])
        return commit

    def take(self, tree: str, other: str) -> None:
        """Go over to a merged tree, whose other parent is a commit."""
        head = self._git("rev-parse", f"refs/heads/{self.branch}")
        self._git("read-tree", "-u", "--reset", tree)
        self._record(tree, f"Merge {self._store.target}", head, other)
        self.own()

    def remove(self, hub: threading.RLock) -> None:
        """Remove the copy; its branch stays in the store."""
        with self._lock, hub:
            self.confinement.end_all()
            (self._admin / "coding-ready").unlink(missing_ok=True)
            remove_tree(self.path)
            remove_tree(self.home)
            self._forget()

    def _forget(self) -> None:
        """Remove what git knows of this copy; `worktree prune` would look at the others, too."""
        remove_tree(self._admin)
        self._is_found = False

    def _refuse_nested(self) -> None:
        """Refuse a `.git` below the top: git would go into it and believe its config."""
        for one in entries(self.path):
            if one.name.casefold() == ".git" and Path(one.path).parent != self.path:
                inside = Path(one.path).relative_to(self.path)
                msg = f"{inside} is a repository within the repository. Remove it first."
                raise CodingError(msg)


class Copies:
    """All working copies of a workspace, by sub-agent id.

    Args:
        folder: The folder of the workspace.
        store: The git directory.
        policy: The execution policy of commands.
        limits: Further limits on the host.
    """

    def __init__(self, folder: Path, store: Store, policy: ExecutionPolicy, limits: Limits) -> None:
        self._folder = folder
        self._store = store
        self._policy = policy
        self._limits = limits
        self._copies: dict[str, Copy] = {}
        self._lock = threading.Lock()
        self.hub = threading.RLock()
        """Held while refs or the list of working copies change."""
        Confinement(policy, limits, "")  # says at once what cannot be confined

    def get(self, name: str) -> Copy:
        """Return the working copy of a sub-agent; it is made when it is first held.

        Raises:
            CodingError: The name is no sub-agent's id.
        """
        if not _NAME.fullmatch(name):
            msg = f"{name[:100]!r} is no id of a sub-agent."
            raise CodingError(msg)
        with self._lock:
            if name not in self._copies:
                place = f"{self._folder}\0{name}"
                confinement = Confinement(self._policy, self._limits, place)
                self._copies[name] = Copy(name, self._folder, self._store, confinement)
            return self._copies[name]

    def known(self, name: str) -> Copy:
        """Return the working copy of a sub-agent that has worked in one.

        Raises:
            CodingError: There is none.
        """
        copy = self.get(name)
        if not self._store.commit_of(f"refs/heads/{copy.branch}"):
            there = ", ".join(self.names()) or "none"
            msg = f"{name!r} has no working copy. There are: {there}."
            raise CodingError(msg)
        return copy

    def names(self) -> list[str]:
        """Return the ids of all sub-agents that have a branch."""
        listed = self._store.git("for-each-ref", "--format=%(refname)", "refs/heads/agents/")
        return [ref.removeprefix("refs/heads/agents/") for ref in listed.splitlines()]
