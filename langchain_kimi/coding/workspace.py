"""The place where sub-agents work on one repository, and where their work is merged."""

from __future__ import annotations

import fcntl
import os
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_kimi.coding.confinement import Limits, default_policy
from langchain_kimi.coding.copies import Copies
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.store import Store
from langchain_kimi.coding.trees import remove_tree
from langchain_kimi.tools.process import ExecutionPolicy

_MOST_SHOWN = 40_000


class Workspace:
    """A folder with a working copy for each sub-agent of one run, found again after a kill.

    Args:
        repository: A git repository with at least one commit. Its working copy is not touched,
            and what is not committed there is not seen.
        folder: Where working copies and branches are kept; None for `.NAME.coding` beside the
            repository. One folder serves one run.
        base: The commit, branch or tag to begin at.
        target: The branch that the work is merged into. It is made, in the repository too, by
            the first merge.
        test_command: Run on each merge before it is kept; "" for no tests.
        policy: One of langchain's execution policies, for all commands; None for
            `HostExecutionPolicy` with 5 minutes and 4 GB.
        limits: Further limits of commands on the host.
        commands: How many commands run at the same time; None for one a processor.

    Raises:
        CodingError: There is no repository or no such commit, the target branch is there
            already, or commands cannot be confined here.
    """

    def __init__(
        self,
        repository: str | Path,
        *,
        folder: str | Path | None = None,
        base: str = "HEAD",
        target: str = "langchain-kimi/result",
        test_command: str = "",
        policy: ExecutionPolicy | None = None,
        limits: Limits | None = None,
        commands: int | None = None,
    ) -> None:
        place = Path(repository).resolve()
        if not place.is_dir():
            msg = f"repository={str(repository)!r} is not a folder. Give a git repository."
            raise CodingError(msg)
        self.folder = Path(folder or place.parent / f".{place.name}.coding").resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._free = weakref.finalize(self, os.close, _alone_in(self.folder))
        self.test_command = test_command
        self._store = Store(self.folder / "git", place, base=base, target=target)
        self.copies = Copies(
            self.folder, self._store, policy or default_policy(), limits or Limits()
        )
        self.pool = ThreadPoolExecutor(commands or os.cpu_count(), "coding-command")

    @property
    def target(self) -> str:
        """The branch that the work is merged into."""
        return self._store.target

    def agents(self) -> list[str]:
        """Return the ids of the sub-agents that have worked here."""
        return self.copies.names()

    def diff(self, agent: str) -> str:
        """Return what a sub-agent changed and what is not merged, as a patch.

        Raises:
            CodingError: There is no such sub-agent.
        """
        with self.copies.known(agent).held(self.copies.hub) as copy:
            return self._patch(copy.commit(f"Work of {agent}"))

    def _patch(self, commit: str) -> str:
        git, target = self._store.git, self._store.head
        return git.data(
            "diff", "--no-ext-diff", "--no-textconv", "--binary", f"{target}...{commit}"
        ).decode(errors="replace")

    def merge(self, agent: str, started: Callable[[int], None] = lambda _: None) -> str:
        """Merge a sub-agent's work into the target, unless it conflicts or fails the tests.

        Args:
            agent: Its id.
            started: Told the process group of the test command.

        Returns:
            What was merged.

        Raises:
            CodingError: It was not merged: it conflicts, the tests failed, or it cannot be.
        """
        with self.copies.known(agent).held(self.copies.hub) as copy, self.copies.hub:
            commit, store = copy.commit(f"Work of {agent}"), self._store
            before = store.head
            if store.git.run("merge-base", "--is-ancestor", commit, before).returncode == 0:
                store.publish()
                return f"{agent} has nothing that is not in {store.target}."
            patch = self._patch(commit)
            if any(line.startswith("+<<<<<<< ") for line in patch.splitlines()):
                msg = f"{agent} left conflict markers in its files. Let it resolve them first."
                raise CodingError(msg)
            tree, conflicts = self._merged(before, commit)
            if conflicts:
                msg = f"Not merged: {agent} conflicts with {store.target}.\n{conflicts}"
                raise CodingError(msg)
            merged = store.git(
                "commit-tree", tree, "-p", before, "-p", commit, "-m", f"Merge {agent}"
            )
            told = self._test(merged, agent, started)
            self._keep_patch(agent, commit, patch)
            store.advance(merged, before)
            stat = store.git("diff", "--no-ext-diff", "--no-textconv", "--stat", before, merged)
            return f"Merged {agent} into {store.target}:\n{stat[-4_000:]}{told}"

    def update(self, agent: str) -> str:
        """Merge the target into a sub-agent's working copy, conflicts with markers.

        Raises:
            CodingError: There is no such sub-agent.
        """
        with self.copies.known(agent).held(self.copies.hub) as copy, self.copies.hub:
            commit, head = copy.commit(f"Work of {agent}"), self._store.head
            if self._store.git.run("merge-base", "--is-ancestor", head, commit).returncode == 0:
                return f"{agent} has all of {self.target}."
            tree, conflicts = self._merged(commit, head)
            copy.take(tree, head)
        if conflicts:
            return f"{agent} has conflict markers to resolve.\n{conflicts}"
        return f"{agent} has all of {self.target} now; nothing conflicts."

    def _merged(self, ours: str, theirs: str) -> tuple[str, str]:
        """Merge two commits without a working copy: the tree, and what conflicts."""
        done = self._store.git.run("merge-tree", "--write-tree", "--messages", ours, theirs)
        if done.returncode > 1:
            msg = f"git merge-tree failed: {done.stderr.decode(errors='replace')[-2_000:]}"
            raise CodingError(msg)
        tree, _, rest = done.stdout.decode(errors="replace").partition("\n")
        if done.returncode == 0:
            return tree, ""
        messages = [line for line in rest.splitlines() if line.startswith("CONFLICT")]
        shown = self._store.git.data("diff", "--no-ext-diff", "--no-textconv", ours, tree)
        text = shown.decode(errors="replace")
        return tree, "\n".join([*messages, text[:_MOST_SHOWN]])

    def _test(self, commit: str, agent: str, started: Callable[[int], None]) -> str:
        """Run the tests on a commit in a copy of its own, which is removed after.

        Raises:
            CodingError: They failed.
        """
        if not self.test_command:
            return ""
        trial = self.copies.get("merging")
        trial.remove(self.copies.hub)
        self._store.git("update-ref", f"refs/heads/{trial.branch}", commit)
        try:
            with trial.held(self.copies.hub):
                outcome = trial.run(self.test_command, started)
        finally:
            trial.remove(self.copies.hub)
            self._store.git("update-ref", "-d", f"refs/heads/{trial.branch}")
        if outcome.exit_code != 0:
            how = "took too long" if outcome.exit_code is None else "failed"
            msg = f"Not merged: with {agent} the tests {how}.\n{outcome.output}"
            raise CodingError(msg)
        return f"\nThe tests pass.\n{outcome.output[-2_000:]}"

    def _keep_patch(self, agent: str, commit: str, patch: str) -> None:
        folder = self.folder / "patches" / agent
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{commit}.patch").write_text(patch, "utf-8")

    def patches(self, agent: str) -> str:
        """Return all that a sub-agent changed: what was merged, and what was not."""
        kept = sorted((self.folder / "patches" / agent).glob("*.patch"), key=_time)
        return "".join([*(one.read_text("utf-8") for one in kept), self.diff(agent)])

    def remove(self, agent: str) -> None:
        """Remove a sub-agent's working copy, with its work safe on its branch."""
        copy = self.copies.known(agent)
        with copy.held(self.copies.hub):
            copy.commit(f"Work of {agent}")
        copy.remove(self.copies.hub)

    def close(self) -> None:
        """Remove all working copies. Branches stay in the folder, and can be continued."""
        for agent in self.agents():
            self.remove(agent)
        self.pool.shutdown()
        self._free()

    def delete(self) -> None:
        """Remove the folder with all that is in it. The target branch of the repository stays."""
        for agent in self.agents():
            self.copies.get(agent).remove(self.copies.hub)
        self.pool.shutdown()
        self._free()
        remove_tree(self.folder)


def _alone_in(folder: Path) -> int:
    """Hold a folder for one workspace; the lock ends with the process, or when it is closed.

    Raises:
        CodingError: Another workspace has it.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        msg = f"Another workspace works in {folder}. Close it, or give each a folder= of its own."
        raise CodingError(msg) from None
    return lock


def _time(path: Path) -> float:
    return path.stat().st_mtime
