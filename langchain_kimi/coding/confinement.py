"""What holds a command of a working copy, over what langchain's execution policy gives."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from langchain.agents.middleware import DockerExecutionPolicy, HostExecutionPolicy

from langchain_kimi.coding.errors import CodingError
from langchain_kimi.coding.namespaces import TOOLS, has_namespaces, is_root, starter
from langchain_kimi.coding.trees import entries
from langchain_kimi.tools.process import ExecutionPolicy, Outcome, run

_FIRST_USER, _USERS = 1_900_000_000, 200_000_000
"""User ids of nobody: above those of distributions and containers, below 2**31."""
_AS_FIRST_PROCESS = ["/bin/sh", "-c", '"$@"; exit $?', "sh"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits that langchain's policies do not have, those of a command on the host."""

    processes: int = 256
    """Processes and threads at one time."""
    file_bytes: int = 1_000_000_000
    """Size of one file."""
    open_files: int = 1_024
    change_bytes: int = 50_000_000
    """Size of all files together that changed since the last commit of a working copy."""


def default_policy() -> HostExecutionPolicy:
    """Return the policy for commands: five minutes, 4 GB of addresses a process."""
    return HostExecutionPolicy(
        command_timeout=300.0, cpu_time_seconds=300, memory_bytes=4_000_000_000
    )


def check_confinable(policy: ExecutionPolicy, *, allow_unconfined: bool) -> None:
    """Refuse to run commands that nothing would hold.

    Raises:
        CodingError: On the host as root `setpriv` or `prlimit` is not there; or as another user
            there are no namespaces, and it was not allowed.
    """
    if not isinstance(policy, HostExecutionPolicy):
        return
    if is_root():
        if not all(map(shutil.which, TOOLS)):
            msg = (
                "As root, limits on processes do not hold without setpriv and prlimit "
                "(util-linux). Install them, run as another user, or use DockerExecutionPolicy."
            )
            raise CodingError(msg)
    elif not (allow_unconfined or has_namespaces()):
        msg = (
            "User namespaces (unshare, setpriv and prlimit of util-linux on Linux, not forbidden "
            "by a container) are not there, so commands would have all rights of this process: "
            "they could read its keys from /proc, change the git directory and outlive their "
            "call. Give policy=DockerExecutionPolicy(...), run as root, or, for repositories and "
            "models that you trust, say allow_unconfined=True."
        )
        raise CodingError(msg)


class Confinement:
    """Runs the commands of one working copy.

    On the host as root, commands run as a user id of the working copy's own, for the limit on
    processes does not bind root. Otherwise they run as the caller, in namespaces where there are
    some: they see no process of the caller, and write to no folder of the workspace but theirs.
    Whatever they leave behind is killed when they end.

    Args:
        policy: One of langchain's execution policies.
        limits: Further limits on the host.
        name: What the working copy is known by; the user id follows from it.
        read_only: Folders that are not written to, except for the working copy's own.
        slots: One is held while a command runs.
    """

    def __init__(
        self,
        policy: ExecutionPolicy,
        limits: Limits,
        name: str,
        read_only: Sequence[Path],
        slots: threading.Semaphore,
    ) -> None:
        self.limits = limits
        self._policy = policy
        self._slots = slots
        self._read_only = read_only
        self._on_host = isinstance(policy, HostExecutionPolicy)
        self._in_container = isinstance(policy, DockerExecutionPolicy)
        self.user = _user_of(name) if self._on_host and is_root() else None

    def own(self, folder: Path) -> None:
        """Give a folder and all in it to the user that commands run as; links are not followed."""
        if self.user is None:
            return
        os.lchown(folder, self.user, self.user)
        if folder.is_dir() and not folder.is_symlink():
            for place in entries(folder):
                os.lchown(place, self.user, self.user)

    def check_reach(self, folder: Path) -> None:
        """Refuse a folder that the user cannot enter.

        Raises:
            CodingError: A folder above it is closed to others.
        """
        closed = [str(one) for one in (folder, *folder.parents) if not one.stat().st_mode & 0o001]
        if self.user is not None and closed:
            msg = (
                f"{closed[0]} is closed to other users, so commands, which do not run as root, "
                "cannot reach the working copy. Give Workspace another folder=, such as one in "
                "/srv or /var/tmp."
            )
            raise CodingError(msg)

    def run(self, command: str, tree: Path, home: Path, started: Callable[[int], None]) -> Outcome:
        """Run a shell command to its end or its limits, once one of the slots is free.

        Args:
            command: The command.
            tree: The working copy.
            home: A folder for what belongs to no repository.
            started: Told the process group.
        """
        policy = cast("ExecutionPolicy", _Prefixed(self._policy, self._prefix(tree, home), started))
        with self._slots:
            try:
                return run(
                    policy,
                    self._command(command),
                    workspace=tree,
                    environment=self._environment(home),
                    stdin="",
                )
            finally:
                self.end_all()

    def end_all(self) -> None:
        """Kill every process of the user that commands run as."""
        if self.user is not None:
            as_user = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
            subprocess.run(  # noqa: S603 a fixed command
                [*as_user, "/bin/sh", "-c", "kill -9 -1"], check=False, capture_output=True
            )

    def _command(self, command: str) -> list[str]:
        if self._in_container:  # killing the client would not reach it
            seconds = f"{self._policy.command_timeout:g}"
            return ["timeout", "-s", "KILL", seconds, "/bin/sh", "-c", command]
        return ["/bin/sh", "-c", command]

    def _environment(self, home: Path) -> dict[str, str]:
        """Return the variables of a command: no key of the caller's environment is among them."""
        place = "/tmp" if self._in_container else str(home)  # noqa: S108 - the container's own
        path = {} if self._in_container else {"PATH": os.environ.get("PATH", os.defpath)}
        return {
            "HOME": place,
            "LANG": "C.UTF-8",
            "LOGNAME": "coder",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": place,
            "USER": "coder",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",  # the git directory is not the command's own
            "GIT_CONFIG_VALUE_0": "*",
            **path,
        }

    def _prefix(self, *writable: Path) -> list[str]:
        """Return what the command is started through."""
        if not self._on_host or not all(map(shutil.which, TOOLS)):
            return []
        prefix = starter(self._read_only, writable)
        room = self.limits.processes + (0 if self.user is not None else _processes_of_caller())
        prefix = [*prefix, *_AS_FIRST_PROCESS, "prlimit", f"--nproc={room}", "--core=0"]
        prefix += [f"--fsize={self.limits.file_bytes}", f"--nofile={self.limits.open_files}"]
        prefix += [*self._limits_of_policy(), "setpriv", "--no-new-privs"]
        if self.user is not None:
            prefix += [f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups"]
            prefix += ["--bounding-set=-all", "--inh-caps=-all"]
        return prefix

    def _limits_of_policy(self) -> list[str]:
        """Return the policy's limits, which it sets itself once the command runs: too late.

        What the first process had started by then would go without them.
        """
        policy = cast("HostExecutionPolicy", self._policy)
        limits = {"--cpu": policy.cpu_time_seconds, "--as": policy.memory_bytes}
        return [f"{name}={limit}" for name, limit in limits.items() if limit is not None]


@dataclass
class _Prefixed:
    """A policy that starts commands through others, and says which process group it made."""

    policy: ExecutionPolicy
    prefix: Sequence[str]
    started: Callable[[int], None]
    command_timeout: float = field(init=False)

    def __post_init__(self) -> None:
        self.command_timeout = self.policy.command_timeout

    def spawn(
        self, *, workspace: Path, env: Mapping[str, str], command: Sequence[str]
    ) -> subprocess.Popen[str]:
        process = self.policy.spawn(workspace=workspace, env=env, command=[*self.prefix, *command])
        with suppress(ProcessLookupError):
            group = os.getpgid(process.pid)
            self.started(group if group != os.getpgrp() else 0)
        return process


def _user_of(name: str) -> int:
    digest = hashlib.blake2b(name.encode(errors="replace"), digest_size=6).digest()
    return _FIRST_USER + int.from_bytes(digest) % _USERS


def _processes_of_caller() -> int:
    """Count the threads of our own user, which the limit counts too."""
    count, user = 0, os.getuid()
    for status in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if status.stat().st_uid == user:
                count += sum(1 for _ in (status / "task").iterdir())
    return count
