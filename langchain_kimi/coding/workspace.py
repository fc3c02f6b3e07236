"""The place where sub-agents work on one repository, and where their work is merged."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from langchain_kimi.coding.confinement import Limits, check_confinable, default_policy
from langchain_kimi.coding.copies import TRIAL, Copies
from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.lock import FolderLock
from langchain_kimi.coding.store import Store
from langchain_kimi.coding.trees import remove
from langchain_kimi.tools.process import ExecutionPolicy

_MOST_SHOWN = 40_000
_MOST_WAITING = 512
"""Calls that wait for a copy, a merge or a command's turn, each in a thread."""
_DIFF = ("diff", "--no-ext-diff", "--no-textconv")


class Workspace:
    """A folder with a working copy for each sub-agent of one run, found again after a kill.

    It has the folder alone until it is closed, deleted or its process has ended.

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
        limits: Further limits.
        commands: How many commands run at the same time; None for one a processor.
        allow_unconfined: Run commands on the host also where there is neither root nor a user
            namespace to hold them, with all rights of this process.

    Raises:
        CodingError: There is no repository or no such commit, the target branch is there
            already or cannot be made, the folder is in use, or commands cannot be confined here.
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
        allow_unconfined: bool = False,
    ) -> None:
        place = Path(repository).resolve()
        if not place.is_dir():
            msg = f"repository={str(repository)!r} is not a folder. Give a git repository."
            raise CodingError(msg)
        policy = policy or default_policy()
        check_confinable(policy, allow_unconfined=allow_unconfined)
        self.folder = Path(folder or place.parent / f".{place.name}.coding").resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self.folder)
        try:
            self._store = Store(self.folder / "git", place, base=base, target=target)
        except BaseException:
            self._lock.release()
            raise
        self.test_command = test_command
        self.copies = Copies(
            self.folder,
            self._store,
            policy,
            limits or Limits(),
            commands=commands or os.cpu_count() or 1,
            read_only=[place, self._store.origin, self.folder],
        )
        self._merging = threading.Lock()
        self.pool = ThreadPoolExecutor(_MOST_WAITING, "coding")

    @property
    def target(self) -> str:
        """The branch that the work is merged into."""
        return self._store.target

    def agents(self) -> list[str]:
        """Return the ids of the sub-agents that have worked here."""
        return self.copies.names()

    def diff(self, agent: str) -> str:
        """Return what a sub-agent changed and what is not merged, as a patch to read.

        Binary files are only named.

        Raises:
            CodingError: There is no such sub-agent.
        """
        commit = self._commit(agent)
        shown = self._store.git.data(*_DIFF, f"{self._store.head}...{commit}")
        return shown.decode(errors="replace")

    def _commit(self, agent: str) -> str:
        with self.copies.known(agent).held() as copy:
            return copy.commit()

    def merge(self, agent: str, started: Callable[[int], None] = lambda _: None) -> str:
        """Merge a sub-agent's work into the target, unless it conflicts or fails the tests.

        One merge is made after the other; sub-agents go on meanwhile.

        Args:
            agent: Its id.
            started: Told the process group of the test command.

        Returns:
            What was merged.

        Raises:
            CodingError: It was not merged: it conflicts, the tests failed, or it cannot be.
        """
        commit, store = self._commit(agent), self._store
        with self._merging:
            store.check()
            before = store.head
            if store.git.run("merge-base", "--is-ancestor", commit, before).returncode == 0:
                told = f"{agent} has nothing that is not in {store.target}."
                return "\n".join(filter(None, [told, store.publish()]))
            patch = self._new_patch(agent, commit)
            tree, conflicts = self._merged(before, commit)
            if conflicts:
                msg = f"Not merged: {agent} conflicts with {store.target}.\n{conflicts}"
                raise CodingError(msg)
            merged = store.git(
                "commit-tree", tree, "-p", before, "-p", commit, "-m", f"Merge {agent}"
            )
            told = self._test(merged, agent, started)
            number = len(list(patch.parent.glob("*.patch")))
            hindrance = store.advance(merged)
            patch.rename(patch.parent / f"{number:06}-{commit}.patch")
            stat = store.git(*_DIFF, "--stat", before, merged)
            done = f"Merged {agent} into {store.target}:\n{stat[-4_000:]}{told}"
            return "\n".join(filter(None, [done, hindrance]))

    def _new_patch(self, agent: str, commit: str) -> Path:
        """Write what is not merged to a file, which may be large.

        Raises:
            CodingError: It adds conflict markers.
        """
        place = self.folder / "patches" / agent / "new"
        place.parent.mkdir(parents=True, exist_ok=True)
        changes = f"{self._store.head}...{commit}"
        self._store.git(*_DIFF, "--binary", f"--output={place}", changes)
        with place.open("rb") as lines:
            if any(line.startswith(b"+<<<<<<< ") for line in lines):
                msg = f"{agent} left conflict markers in its files. Let it resolve them first."
                raise CodingError(msg)
        return place

    def update(self, agent: str) -> str:
        """Merge the target into a sub-agent's working copy, conflicts with markers.

        Raises:
            CodingError: There is no such sub-agent.
        """
        with self.copies.known(agent).held() as copy:
            commit, head = copy.commit(), self._store.head
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
        shown = self._store.git.data(*_DIFF, ours, tree)
        text = shown.decode(errors="replace")
        return tree, "\n".join([*messages, text[:_MOST_SHOWN]])

    def _test(self, commit: str, agent: str, started: Callable[[int], None]) -> str:
        """Run the tests on a commit in a copy of its own, which is removed after.

        Raises:
            CodingError: They failed.
        """
        if not self.test_command:
            return ""
        trial = self.copies.get(TRIAL)
        trial.show(commit)
        try:
            with trial.held():
                outcome = trial.run(self.test_command, started)
        finally:
            trial.remove(branch=True)
        if outcome.exit_code != 0:
            how = "took too long" if outcome.exit_code is None else "failed"
            msg = f"Not merged: with {agent} the tests {how}.\n{outcome.output}"
            raise CodingError(msg)
        return f"\nThe tests pass.\n{outcome.output[-2_000:]}"

    def patches(self, agent: str) -> str:
        """Return all that a sub-agent changed, to be applied: what was merged, and what was not.

        Raises:
            CodingError: There is no such sub-agent.
        """
        folder, commit = self.folder / "patches" / agent, self._commit(agent)
        kept = [one.read_bytes() for one in sorted(folder.glob("*.patch"))]
        new = self._store.git.data(*_DIFF, "--binary", f"{self._store.head}...{commit}")
        return b"".join([*kept, new]).decode(errors="replace")

    def remove(self, agent: str) -> None:
        """Remove a sub-agent's working copy, with its work safe on its branch.

        Raises:
            CodingError: There is no such sub-agent, or its work cannot be stored.
        """
        with self.copies.known(agent).held() as copy:
            copy.commit()
            copy.remove()

    def close(self) -> None:
        """Remove all working copies, and free the folder.

        Branches stay in the folder, and can be continued by another workspace.

        Raises:
            CodingError: What a sub-agent did could not be stored, and is left in its copy; or
                the target branch could not be brought into the repository.
        """
        if self.copies.closed:
            return
        failures = []
        for agent in self.agents():
            try:
                self.remove(agent)
            except CodingError as error:
                failures.append(f"{agent}: {error}")
        failures.append(self._store.publish())
        self._free()
        if any(failures):
            raise CodingError("\n".join(filter(None, failures)))

    def delete(self) -> None:
        """Remove the folder with all that is in it. The target branch of the repository stays.

        Raises:
            CodingError: What was merged could not be brought into the repository, so that
                nothing is removed; or something could not be removed.
        """
        if hindrance := self._store.publish():
            raise CodingError(hindrance)
        for agent in self.agents():
            self.copies.get(agent).remove()
        remove(self.folder)
        self._free()

    def _free(self) -> None:
        self.copies.closed = True
        self.pool.shutdown()
        self._lock.release()
