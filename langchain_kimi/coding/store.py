"""The git directory that working copies share, apart from the repository that they are made from.

It borrows the repository's objects and has a config and refs of its own. So nothing that stands in
the repository's config (filters, drivers, hooks, aliases) is ever read where files are checked
out, added or merged.
"""

from __future__ import annotations

from pathlib import Path

from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.git import Git, check_version

_IGNORED = """__pycache__/
*.py[cod]
.mypy_cache/
.pytest_cache/
.ruff_cache/
.venv/
node_modules/
"""
_BASE, _PUBLISHED = "refs/coding/base", "refs/coding/published"


class Store:
    """A bare git directory for the branches of sub-agents, and the way back to the repository.

    Args:
        directory: Where it is, or is made.
        repository: The repository; only `rev-parse`, `worktree list` and `update-ref` run in it.
        base: The commit that the target branch begins at.
        target: The branch that is merged into.

    Raises:
        CodingError: There is no such commit, or the target is taken.
    """

    def __init__(self, directory: Path, repository: Path, *, base: str, target: str) -> None:
        check_version()
        self.git = Git(directory=directory)
        self.target = target
        self._target_ref = f"refs/heads/{target}"
        common = Git(tree=repository)("rev-parse", "--path-format=absolute", "--git-common-dir")
        self._origin = Git(directory=Path(common))
        self._objects = Path(common, "objects")
        if not (directory / "coding-ready").exists():
            self._make(directory, base)
        borrowed = (directory / "objects/info/alternates").read_text().strip()
        if borrowed != str(self._objects):
            msg = f"{directory} belongs to another repository ({borrowed}). Give another folder."
            raise CodingError(msg)
        self.publish()

    def _make(self, directory: Path, base: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        commit = self._origin("rev-parse", "--verify", "--end-of-options", f"{base}^{{commit}}")
        kind = self._origin("rev-parse", "--show-object-format")
        if self._origin.run("rev-parse", "--verify", "-q", self._target_ref).returncode == 0:
            msg = (
                f"The repository has a branch {self.target!r} already. Delete it, or give "
                "another target."
            )
            raise CodingError(msg)
        if self._origin.run("check-ref-format", "--branch", self.target).returncode != 0:
            msg = f"target={self.target!r} is no name of a branch."
            raise CodingError(msg)
        self.git("init", "-q", "--bare", "--template=", f"--object-format={kind}", ".")
        info = directory / "objects/info"
        info.mkdir(exist_ok=True)
        (info / "alternates").write_text(f"{self._objects}\n")
        shallow = self._objects.parent / "shallow"
        if shallow.is_file():
            (directory / "shallow").write_bytes(shallow.read_bytes())
        (directory / "info").mkdir(exist_ok=True)
        (directory / "info/exclude").write_text(_IGNORED)
        (directory / "info/attributes").write_text("* -filter\n")  # over what a tree names
        self.git("update-ref", self._target_ref, commit)
        self.git("update-ref", _BASE, commit)
        (directory / "coding-ready").touch()

    def commit_of(self, name: str) -> str:
        """Return the commit that a ref names, "" when there is none."""
        done = self.git.run("rev-parse", "--verify", "-q", f"{name}^{{commit}}")
        return done.stdout.decode().strip()

    @property
    def head(self) -> str:
        """The target's commit."""
        return self.commit_of(self._target_ref)

    def advance(self, commit: str, before: str) -> None:
        """Move the target from one commit to the next, here and in the repository.

        Raises:
            CodingError: Somebody else moved it.
        """
        self.git("update-ref", self._target_ref, commit, before)
        self.publish()

    def publish(self) -> None:
        """Bring the target branch into the repository, unless it is there.

        Raises:
            CodingError: The branch was changed there, or is checked out.
        """
        head, published = self.head, self.commit_of(_PUBLISHED)
        if head in (published, self.commit_of(_BASE)):
            return
        shown = self._origin("worktree", "list", "--porcelain")
        if f"branch {self._target_ref}" in shown.splitlines():
            msg = f"{self.target!r} is checked out in the repository, so it is not moved."
            raise CodingError(msg)
        base = self.commit_of(_BASE)
        pack = self.git.data(
            "pack-objects", "--revs", "--stdout", "-q", stdin=f"{head}\n^{base}\n".encode()
        )
        there = Git(
            directory=self.git.directory,
            environment={"GIT_OBJECT_DIRECTORY": str(self._objects)},
        )
        there.data("unpack-objects", "-q", stdin=pack)
        self._origin("update-ref", self._target_ref, head, published or "0" * len(head))
        self.git("update-ref", _PUBLISHED, head)
