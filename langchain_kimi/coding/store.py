"""The git directory that working copies share, apart from the repository that they are made from.

It borrows the repository's objects and has a config and refs of its own. So nothing that stands in
the repository's config (filters, drivers, hooks, aliases) is ever read where files are checked
out, added or merged.
"""

from __future__ import annotations

import logging
from pathlib import Path

from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.git import Git, check_version
from langchain_kimi.coding.trees import remove

logger = logging.getLogger(__name__)

_IGNORED = """__pycache__/
*.py[cod]
.mypy_cache/
.pytest_cache/
.ruff_cache/
.venv/
node_modules/
"""
_CONFIG = """[core]
	repositoryformatversion = 1
	filemode = true
	bare = true
[extensions]
	objectformat = {kind}
"""
_BASE, _PUBLISHED = "refs/coding/base", "refs/coding/published"
_LEFT = "refs/coding/target"
"""Where the last merge left the target: no branch, so that nothing has it checked out."""


class Store:
    """A bare git directory for the branches of sub-agents, and the way back to the repository.

    Args:
        directory: Where it is, or is made. Nobody else uses it.
        repository: The repository; it is looked at, and the target branch is brought there.
        base: The commit that the target branch begins at.
        target: The branch that is merged into.

    Raises:
        CodingError: There is no such commit, or the target is taken or cannot be made.
    """

    def __init__(self, directory: Path, repository: Path, *, base: str, target: str) -> None:
        check_version()
        self.directory = directory
        self.target = target
        self._target_ref = f"refs/heads/{target}"
        common = Git(tree=repository)("rev-parse", "--path-format=absolute", "--git-common-dir")
        self.origin = Path(common)
        self._origin = Git(directory=self.origin)
        self._objects = self.origin / "objects"
        kind = self._origin("rev-parse", "--show-object-format")
        self.config = _CONFIG.format(kind=kind)
        self.git = Git(directory=directory, config=self.config)
        if not (directory / "coding-ready").exists():
            self._make(base, kind)
        borrowed = (directory / "objects/info/alternates").read_text().strip()
        if borrowed != str(self._objects):
            msg = f"{directory} belongs to another repository ({borrowed}). Give another folder."
            raise CodingError(msg)
        self._unlock()
        self.head = self.commit_of(_LEFT)
        """The target's commit, as the last merge left it."""
        if not self.head:
            msg = f"{directory} has another target, or is broken. Give another folder."
            raise CodingError(msg)
        if hindrance := self.publish():
            logger.warning(hindrance)

    def _make(self, base: str, kind: str) -> None:
        directory = self.directory
        remove(directory)  # what a kill left half made
        found = self._origin.run("rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
        if found.returncode != 0:
            msg = f"base={base!r} is no commit of the repository. Give a commit, branch or tag."
            raise CodingError(msg)
        commit = found.stdout.decode().strip()
        self._check_target(commit)
        directory.mkdir(parents=True)
        Git(directory=directory)(
            "init", "-q", "--bare", "--template=", f"--object-format={kind}", "."
        )
        (directory / "config").write_text(self.config)
        info = directory / "objects/info"
        info.mkdir(exist_ok=True)
        (info / "alternates").write_text(f"{self._objects}\n")
        shallow = self.origin / "shallow"
        if shallow.is_file():
            (directory / "shallow").write_bytes(shallow.read_bytes())
        (directory / "info").mkdir(exist_ok=True)
        (directory / "info/exclude").write_text(_IGNORED)
        (directory / "info/attributes").write_text("* -filter\n")  # over what a tree names
        for ref in (self._target_ref, _LEFT, _BASE):
            self.git("update-ref", ref, commit)
        (directory / "coding-ready").touch()

    def _check_target(self, commit: str) -> None:
        """Refuse a target that cannot be made in the repository, before there is any work.

        Raises:
            CodingError: It is no name of a branch, is there, or is in the way of another branch.
        """
        form = self._origin.run("check-ref-format", "--branch", self.target)
        ours = self.target.startswith("refs/") or self.target.split("/")[0] == "agents"
        if form.returncode != 0 or ours:
            msg = (
                f"target={self.target!r} is no name for a branch here. Give one such as "
                "'langchain-kimi/result', without refs/heads/, and not in agents/."
            )
            raise CodingError(msg)
        tried = f"start\ncreate {self._target_ref} {commit}\nprepare\nabort\n"
        done = self._origin.run("update-ref", "--stdin", stdin=tried.encode())
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-500:]
            msg = (
                f"The branch target={self.target!r} cannot be made in the repository: {said}. "
                "Delete or rename what is in the way, or give another target."
            )
            raise CodingError(msg)

    def _unlock(self) -> None:
        """Remove lock files that a kill left: whoever made them has ended."""
        for place in (*self.directory.glob("*.lock"), *(self.directory / "refs").rglob("*.lock")):
            place.unlink()

    def commit_of(self, name: str) -> str:
        """Return the commit that a ref names, "" when there is none."""
        done = self.git.run("rev-parse", "--verify", "-q", f"{name}^{{commit}}")
        return done.stdout.decode().strip()

    def check(self) -> None:
        """Put the target back if a command has moved it, and say so.

        Raises:
            CodingError: It was moved. Where it was moved to is kept.
        """
        moved = self.commit_of(self._target_ref)
        if moved == self.head:
            return
        self.git("update-ref", _LEFT, self.head)
        self.git("update-ref", self._target_ref, self.head)
        kept = f"refs/coding/moved/{moved}"
        if moved:
            self.git("update-ref", kept, moved)
        msg = (
            f"{self.target} was moved to {moved or 'nothing'} by something else than a merge. "
            f"It is put back to {self.head}, and nothing of it was published. "
            + (f"What it held is kept as {kept} in {self.directory}. " if moved else "")
            + "The sub-agents' work is in their copies. Call again to merge it."
        )
        raise CodingError(msg)

    def advance(self, commit: str) -> str:
        """Move the target to the next commit, here and in the repository.

        Returns:
            What `publish` returns.

        Raises:
            CodingError: Somebody else moved it.
        """
        moves = "".join(f"update {ref} {commit} {self.head}\n" for ref in (self._target_ref, _LEFT))
        self.git.data("update-ref", "--stdin", stdin=moves.encode())
        self.head = commit
        return self.publish()

    def publish(self) -> str:
        """Bring the target branch into the repository, unless it is there.

        Returns:
            What hinders it, such as that the branch was changed there, or "".
        """
        published = self.commit_of(_PUBLISHED)
        if self.head in (published, self.commit_of(_BASE)):
            return ""
        try:
            self._bring(published)
        except CodingError as error:
            return (
                f"{self.target} is kept in {self.directory}, but it is not yet in the "
                f"repository: {error} The next merge brings it, or closing the workspace."
            )
        return ""

    def _bring(self, published: str) -> None:
        shown = self._origin("worktree", "list", "--porcelain")
        if f"branch {self._target_ref}" in shown.splitlines():
            msg = f"{self.target!r} is checked out there, so it is not moved."
            raise CodingError(msg)
        head, base = self.head, self.commit_of(_BASE)
        pack = self.git.data(
            "pack-objects", "--revs", "--stdout", "-q", stdin=f"{head}\n^{base}\n".encode()
        )
        there = Git(
            directory=self.directory,
            config=self.config,
            environment={"GIT_OBJECT_DIRECTORY": str(self._objects)},
        )
        there.data("unpack-objects", "-q", stdin=pack)
        self._origin("update-ref", self._target_ref, head, published or "0" * len(head))
        self.git("update-ref", _PUBLISHED, head)
