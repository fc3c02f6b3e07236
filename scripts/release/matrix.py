"""Install the wheel in empty environments: each Python, oldest and newest versions, each extra.

The oldest are the floors that the wheel's metadata names, its extras' floors with them; what those
bring along is the newest that fits. uv resolves and installs.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PYTHONS = ("3.11", "3.12", "3.13")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
ABSENT = {"aegra": ("3.11",)}
"""Extras that a Python has nothing for."""
USES = Path(__file__).with_name("uses.py")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one environment did."""

    python: str
    resolution: str
    extra: str
    """`core` for none."""
    problem: str
    versions: dict[str, str]
    """Of what the metadata names."""


class FailedError(Exception):
    """A command that ended badly, with what it said."""


def direct(metadata: Metadata, extra: str, python: str) -> list[Requirement]:
    """Return what the package requires with an extra on a Python; own extras are followed."""
    own = canonicalize_name(metadata.name)
    wanted: list[Requirement] = []
    for one in metadata.requires_dist or []:
        here = {"python_version": python, "python_full_version": f"{python}.0"}
        applies_without = one.marker is None or one.marker.evaluate({**here, "extra": ""})
        applies = one.marker is None or one.marker.evaluate({**here, "extra": extra})
        if not applies or (applies_without and extra != "core"):
            continue
        if canonicalize_name(one.name) == own:
            for each in sorted(one.extras):
                wanted += direct(metadata, each, python)
        else:
            wanted.append(one)
    return wanted


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """The environments of a wheel.

    Attributes:
        artifact: The wheel, or the sdist.
        metadata: Its metadata.
        uv: The uv program.
        scratch: A folder for the environments.
    """

    artifact: Path
    metadata: Metadata
    uv: str
    scratch: Path

    def run(self, pythons: Sequence[str], extras: Sequence[str], jobs: int) -> Iterator[Outcome]:
        """Make and use each environment, several at a time; give them in order."""
        cells = [
            (extra, python, resolution)
            for extra, python, resolution in product(extras, pythons, RESOLUTIONS)
            if python not in ABSENT.get(extra, ())
        ]
        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(self._outcome, cells)

    def _outcome(self, cell: tuple[str, str, str]) -> Outcome:
        extra, python, resolution = cell
        place = self.scratch / f"{python}-{resolution}-{extra}"
        versions: dict[str, str] = {}
        problem = ""
        try:
            versions = self._install(place, python, resolution, extra)
            self._run(place / "bin" / "python", "-I", USES, extra, cwd=place)
        except FailedError as failed:
            problem = str(failed)
        shutil.rmtree(place, ignore_errors=True)
        return Outcome(
            python=python, resolution=resolution, extra=extra, problem=problem, versions=versions
        )

    def _install(self, place: Path, python: str, resolution: str, extra: str) -> dict[str, str]:
        """Install the wheel with its extra; return the versions of what it names."""
        named = {
            canonicalize_name(each.name): each
            for which in ("core", extra)
            for each in direct(self.metadata, which, python)
        }
        wanted, pins = (place.with_name(f"{place.name}{end}") for end in (".in", ".txt"))
        lines = [str(_without_marker(each)) for each in named.values()]
        wanted.write_text("\n".join(lines) + "\n")
        self._run(
            self.uv, "pip", "compile", "--quiet", "--no-header", "--no-annotate",
            "--no-emit-find-links", "--python-version", python, "--resolution",
            RESOLUTIONS[resolution], wanted, "--output-file", pins,
        )  # fmt: skip
        self._run(self.uv, "venv", "--quiet", "--no-python-downloads", "--python", python, place)
        brackets = "" if extra == "core" else f"[{extra}]"
        self._run(
            self.uv, "pip", "install", "--quiet", "--python", place / "bin" / "python",
            "--constraints", pins, f"{self.metadata.name}{brackets} @ {self.artifact.as_uri()}",
        )  # fmt: skip
        self._run(self.uv, "pip", "check", "--quiet", "--python", place / "bin" / "python")
        found = re.findall(r"^([\w.-]+)==(\S+)", pins.read_text(), re.MULTILINE)
        return {name: version for name, version in found if canonicalize_name(name) in named}

    def _run(self, *command: object, cwd: Path | None = None) -> None:
        words = [str(word) for word in command]
        try:
            done = subprocess.run(
                words, check=False, cwd=cwd, capture_output=True, text=True, timeout=300
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{words[0]} took more than 300 s"
            raise FailedError(msg) from error
        if done.returncode:
            sys.stderr.write(f"{' '.join(words)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}\n")
            last = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise FailedError(last[-1].strip()[:200] if last else f"exit {done.returncode}")


def _without_marker(requirement: Requirement) -> Requirement:
    bare = Requirement(str(requirement))
    bare.marker = None
    return bare
