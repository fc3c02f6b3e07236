"""What the package imports is what it declares, and under known licences."""

from __future__ import annotations

import ast
import sys
from importlib.metadata import distributions, metadata, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts import licenses
from scripts.release.artifacts import ROOT

OWN = "langchain-kimi-nvidia"
ALONG = {
    "cryptography": "PyJWT's extra `crypto` brings the version that it works with",
    "opentelemetry": "its API comes with the SDK, at one version",
    "pydantic_core": "pydantic names the one version that it works with",
    "pytest": "the plugin is loaded by pytest alone",
}


def declared() -> set[str]:
    """The names of what the package and its extras require."""
    lines = metadata(OWN).get_all("Requires-Dist") or []
    return {canonicalize_name(Requirement(line).name) for line in lines} - {OWN}


def installed() -> set[str]:
    """Those of them that this environment has: one extra has an environment of its own."""
    return {name for name in declared() if any(distributions(name=name))}


def imported() -> dict[str, Path]:
    """The foreign modules that the package imports, each with a file that does."""
    found: dict[str, Path] = {}
    for path in (ROOT / "langchain_kimi").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            found |= {name.split(".")[0]: path for name in names}
    return {
        name: path
        for name, path in found.items()
        if name not in sys.stdlib_module_names and name != "langchain_kimi"
    }


def test_every_import_is_declared() -> None:
    """What only comes along with something else may go with its next version."""
    homes, known = packages_distributions(), declared()
    modules = imported()
    missing = {
        name: str(path)
        for name, path in modules.items()
        if name not in ALONG and not known & {canonicalize_name(home) for home in homes[name]}
    }
    assert missing == {}
    assert modules.keys() >= ALONG.keys()


def test_floors_are_named() -> None:
    """A requirement without one would take what never worked."""
    lines = metadata(OWN).get_all("Requires-Dist") or []
    bare = [line for line in lines if ">=" not in line and not line.startswith(OWN)]
    assert bare == []


def test_the_page_of_licences_has_what_is_declared() -> None:
    said, here = licenses.rows(licenses.PAGE.read_text("utf-8")), licenses.rows(licenses.page())
    assert declared() <= said.keys()
    assert {name: said[name] for name in installed()} == {name: here[name] for name in installed()}
    assert len(installed()) > 0.9 * len(declared())
    assert len(said.keys() & here.keys()) > 0.9 * len(here), "run scripts/licenses.py"


def test_every_licence_is_known() -> None:
    unknown = {
        name: licence
        for name, licence in licenses.rows(licenses.PAGE.read_text("utf-8")).items()
        if not licenses.is_known(licence)
    }
    assert unknown == {}


@pytest.mark.parametrize(
    ("licence", "known", "strict"),
    [
        ("MIT", True, False),
        ("Apache-2.0 OR BSD-2-Clause", True, False),
        ("LGPL-3.0-only", True, True),
        ("Elastic-2.0", True, True),
        ("Beerware", False, False),
    ],
)
def test_licences_are_told_apart(licence: str, known: bool, strict: bool) -> None:
    assert licenses.is_known(licence) is known
    assert licenses.is_strict(licence) is strict
