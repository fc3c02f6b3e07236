"""Wheel and sdist: built twice the same, complete, nothing else in them, and installable."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import langchain_kimi
from scripts.release import artifacts
from scripts.release.artifacts import ROOT, Artifacts
from scripts.release.uses import USES


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Artifacts:
    return artifacts.build(ROOT, tmp_path_factory.mktemp("built"))


def test_what_is_built_again_elsewhere_is_the_same(built: Artifacts, tmp_path: Path) -> None:
    """From the sdist, with other times and modes, and with somebody's litter in the tree."""
    tree = artifacts.unpack(built.sdist, tmp_path / "tree")
    assert (tree / ".env").exists()
    assert artifacts.build(tree, tmp_path / "again").digests() == built.digests()


def test_the_wheel_holds_the_package_and_nothing_else(built: Artifacts) -> None:
    assert artifacts.wheel_problems(built) == []
    with zipfile.ZipFile(built.wheel) as archive:
        names = archive.namelist()
    top = {name.split("/", 1)[0] for name in names}
    assert top == {
        "langchain_kimi",
        f"langchain_kimi_nvidia-{langchain_kimi.__version__}.dist-info",
    }
    assert "langchain_kimi/py.typed" in names


def test_the_sdist_holds_the_tree_and_nothing_else(built: Artifacts) -> None:
    assert artifacts.sdist_problems(built) == []


def test_what_is_too_much_or_missing_is_told(built: Artifacts, tmp_path: Path) -> None:
    tree = artifacts.unpack(built.sdist, tmp_path)
    (tree / "langchain_kimi/more.py").write_text("")
    (tree / "docs/wire.md").unlink()
    assert artifacts.wheel_problems(built, tree) == ["missing: langchain_kimi/more.py"]
    told = artifacts.sdist_problems(built, tree)
    assert told == ["missing: langchain_kimi/more.py", "too much: docs/wire.md"]


def test_the_metadata_is_what_an_index_takes(built: Artifacts) -> None:
    assert artifacts.metadata_problems(built, langchain_kimi.__version__) == []
    assert artifacts.metadata_problems(built, "0.0.0") != []


def test_the_version_stands_in_one_place() -> None:
    version = re.escape(langchain_kimi.__version__)
    places = [
        name
        for name in artifacts.tracked(
            ROOT, ["langchain_kimi", "graphs", "scripts", "pyproject.toml"]
        )
        if re.search(rf"(?<![\d.]){version}(?![\d.])", (ROOT / name).read_text("utf-8", "ignore"))
    ]
    assert places == ["langchain_kimi/_version.py"]
    changes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(rf"^## {version}\b", changes, re.MULTILINE), "the change log lacks the version"


def test_entry_points_load(built: Artifacts) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("entry_points.txt"))
        table = configparser.ConfigParser()
        table.read_string(archive.read(name).decode())
    points = [
        EntryPoint(name, value, group)
        for group in table.sections()
        for name, value in table[group].items()
    ]
    assert {(point.group, point.name) for point in points} == {
        ("console_scripts", "langchain-kimi"),
        ("deepagents.harness_profiles", "kimi"),
        ("deepagents.provider_profiles", "kimi"),
        ("pytest11", "langchain_kimi"),
    }
    for point in points:
        assert point.load()


def test_it_installs_into_an_empty_environment_and_works(built: Artifacts, tmp_path: Path) -> None:
    """The package is the wheel's; what it depends on is lent from this environment."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(built.wheel)], check=True)
    (site,) = (tmp_path / "venv/lib").glob("python*/site-packages")
    assert not (site / "graphs").exists()
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    uses = ROOT / "scripts/release/uses.py"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python, "-I", uses, "core"],
        cwd=tmp_path,
        env=clean,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_each_extra_has_a_use_that_the_release_check_makes(built: Artifacts) -> None:
    assert set(USES) == {"core", *(built.metadata().provides_extra or [])}
