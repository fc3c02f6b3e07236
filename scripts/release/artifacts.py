"""Build wheel and sdist, and say what is wrong with them."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import trove_classifiers
from packaging.metadata import Metadata

ROOT = Path(__file__).resolve().parents[2]
_GENERATED = {"PKG-INFO", ".gitignore"}
"""What the build adds to the sdist; the second keeps builds from an unpacked sdist the same."""
_OF_A_WHEEL = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


@dataclass(frozen=True, kw_only=True)
class Artifacts:
    """What one build made."""

    sdist: Path
    wheel: Path

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its name."""
        both = (self.sdist, self.wheel)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in both}

    def metadata(self) -> Metadata:
        """Return the wheel's metadata; those that the standard refuses raise."""
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
            return Metadata.from_email(archive.read(name), validate=True)


def build(source: Path, target: Path, *, isolated: bool = False) -> Artifacts:
    """Build the sdist from a tree, and the wheel from that sdist.

    Args:
        source: The tree.
        target: A folder, new or empty.
        isolated: Whether the build backend comes from the package index, as for a release, or is
            the one that is installed.
    """
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(source)]
    if not isolated:
        command.insert(3, "--no-isolation")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"The build failed:\n{done.stdout}{done.stderr}")
    (sdist,) = target.glob("*.tar.gz")
    (wheel,) = target.glob("*.whl")
    return Artifacts(sdist=sdist, wheel=wheel)


def unpack(sdist: Path, target: Path) -> Path:
    """Unpack an sdist into a tree with other times and modes, and with litter in it."""
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # from 3.11.4 on
        archive.extractall(target)
    (tree,) = target.iterdir()
    for path in tree.rglob("*"):
        if path.is_file():
            path.chmod(0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    for litter in (".env", "notes.txt", "keys.json", "langchain_kimi/__pycache__/a.pyc"):
        (tree / litter).parent.mkdir(exist_ok=True)
        (tree / litter).write_text("NVIDIA_API_KEY=nvapi-of-somebody")
    return tree


def wheel_problems(artifacts: Artifacts, root: Path = ROOT) -> list[str]:
    """Compare the wheel's files with the package's: all of them, and nothing else."""
    with zipfile.ZipFile(artifacts.wheel) as archive:
        names = set(archive.namelist())
    info = f"{artifacts.wheel.name.split('-')[0]}-{artifacts.wheel.name.split('-')[1]}.dist-info"
    expected = tracked(root, ["langchain_kimi"]) | {f"{info}/{name}" for name in _OF_A_WHEEL}
    return _differences(expected, names)


def sdist_problems(artifacts: Artifacts, root: Path = ROOT) -> list[str]:
    """Compare the sdist's files with those of the tree that belong there."""
    with tarfile.open(artifacts.sdist) as archive:
        names = {member.name.split("/", 1)[1] for member in archive if member.isfile()}
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    sdist = settings["tool"]["hatch"]["build"]["targets"]["sdist"]
    return _differences(tracked(root, sdist["only-include"]) | _GENERATED, names)


def metadata_problems(artifacts: Artifacts, version: str) -> list[str]:
    """Say what an index would refuse, and whether the version is the package's own."""
    found = artifacts.metadata()
    problems = [f"unknown classifier: {each}" for each in found.classifiers or []
                if each not in trove_classifiers.classifiers]  # fmt: skip
    if str(found.version) != version:
        problems.append(f"the version is {found.version}, the package says {version}")
    if found.description_content_type != "text/markdown" or not found.description:
        problems.append("there is no README in it")
    if found.license_expression != "MIT" or found.license_files != ["LICENSE"]:
        problems.append(f"licence: {found.license_expression}, files: {found.license_files}")
    return problems


def tracked(root: Path, places: list[str]) -> set[str]:
    """Return the files of the tree in some places: git's where there is git, else all."""
    git = shutil.which("git")
    if git and (root / ".git").exists():
        done = subprocess.run(
            [git, "ls-files", "-z", "--", *places],
            cwd=root, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return {name for name in done.stdout.split("\0") if name}
    found = (path for place in places for path in [root / place, *(root / place).rglob("*")])
    ignored = {"__pycache__", "node_modules"}
    return {
        path.relative_to(root).as_posix()
        for path in found
        if path.is_file() and not ignored & set(path.parts)
    }


def _differences(expected: set[str], names: set[str]) -> list[str]:
    return [
        *(f"missing: {name}" for name in sorted(expected - names)),
        *(f"too much: {name}" for name in sorted(names - expected)),
    ]
