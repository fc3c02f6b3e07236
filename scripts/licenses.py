"""Write docs/licenses.md: what the package and its extras bring along, and under which licences.

It is made of the metadata of what is installed: run it in an environment with all extras,
on Python 3.12 or newer, for one of them has nothing for 3.11. With
`--check` nothing is written; the exit code is 1 where the page is no longer true.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licenses.md"
OWN = "langchain-kimi-nvidia"
HEAD = """# Licences of what comes along

`pip install langchain-kimi-nvidia` brings the first table, each extra what the second says.
`scripts/licenses.py` writes this page from the metadata of what is installed on Python {python};
other versions and systems differ in a few. The package itself is under the MIT licence.

The licence files lie in each distribution's `*.dist-info` folder once it is installed; `—` stands
where a distribution ships none. What asks for more than a notice stands in **bold**;
`OR` and several names of licences are a choice where the distribution says so.
"""
_KNOWN = {
    "apache-2.0": r"apache|\bAL-?2\b",
    "mit": r"\bMIT\b|\bMIT License\b|Expat",
    "bsd": r"BSD|HPND|CMU|PIL Software",
    "isc": r"\bISC\b",
    "psf": r"PSF|Python Software Foundation|CNRI",
    "public domain": r"Unlicense|CC0|0BSD|public domain|Zlib",
}
_NAMES = re.compile(r"LICEN[CS]E|COPYING|NOTICE|AUTHORS", re.IGNORECASE)
_STRICTER = r"GPL|MPL|Mozilla|Elastic|EPL|SSPL|BUSL|proprietary|commercial|non-?commercial|NVIDIA"


def page() -> str:
    """Return the page for what is installed here."""
    core = closure([OWN])
    head = HEAD.format(python=".".join(map(str, sys.version_info[:2])))
    parts = [head, "## The package\n", table(core)]
    more: dict[str, list[str]] = {}
    for extra in sorted(distribution(OWN).metadata.get_all("Provides-Extra") or []):
        for name in closure([f"{OWN}[{extra}]"]) - core:
            more.setdefault(name, []).append(extra)
    return "\n".join([*parts, "## Its extras\n", table(set(more), more)])


def closure(roots: list[str]) -> set[str]:
    """Return the names of all that some requirements bring along, as far as it is installed."""
    names: set[str] = set()
    done: set[tuple[str, str]] = set()
    waiting = deque(map(Requirement, roots))
    while waiting:
        wanted = waiting.popleft()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras} - {each for known, each in done if known == name}:
            done.add((name, extra))
            try:
                found = distribution(name)
            except PackageNotFoundError:
                continue
            names.add(name)
            waiting.extend(_required(found, extra))
    return names - {OWN}


def table(names: set[str], extras: dict[str, list[str]] | None = None) -> str:
    """Return a table of distributions."""
    columns = ["distribution", "licence", "licence files", *(["extra"] if extras else [])]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for name in sorted(names):
        found = distribution(name)
        licence = licence_of(found)
        shown = f"**{licence}**" if is_strict(licence) else licence
        cells = [name, shown, ", ".join(files_of(found)) or "—"]
        lines.append(f"| {' | '.join([*cells, *([', '.join(extras[name])] if extras else [])])} |")
    return "\n".join([*lines, ""])


def licence_of(found: Distribution) -> str:
    """Return a distribution's licence: its expression, else its classifiers, else its words."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return str(expression)
    of = [line.rsplit(" :: ", 1)[-1] for line in metadata.get_all("Classifier") or []
          if line.startswith("License :: ") and not line.endswith("OSI Approved")]  # fmt: skip
    if of:
        return ", ".join(of)
    words = str(metadata.get("License") or "").strip()
    return words.splitlines()[0][:60].replace("|", "/") if words else _by_file(found)


def files_of(found: Distribution) -> list[str]:
    """Return the names of a distribution's licence files, below its dist-info folder."""
    names = {
        path.name
        for path in found.files or []
        if ".dist-info" in path.parts[0]
        and path.suffix not in {".py", ".pyc"}
        and ("licenses" in path.parts or _NAMES.match(path.name))
    }
    return sorted(names)


def is_known(licence: str) -> bool:
    """Whether a licence is among those that were looked at."""
    return is_strict(licence) or any(_matches(words, licence) for words in _KNOWN.values())


def is_strict(licence: str) -> bool:
    """Whether a licence asks for more than a notice."""
    return _matches(_STRICTER, licence)


def rows(text: str) -> dict[str, str]:
    """Return the licences on a page by distribution."""
    found = re.findall(r"^\| ([\w.-]+) \| (.*?) \|", text, re.MULTILINE)
    return {name: licence.strip("*") for name, licence in found if name != "distribution"}


def differences(text: str) -> Iterator[str]:
    """Say where a page and what is installed differ."""
    said, here = rows(text), rows(page())
    for name in sorted(said.keys() | here.keys()):
        if said.get(name) != here.get(name):
            yield f"{name}: the page says {said.get(name)}, installed is {here.get(name)}"


def _by_file(found: Distribution) -> str:
    """Return the licence whose words the licence file begins with."""
    for path in found.files or []:
        if path.name in files_of(found):
            text = str(path.read_text())[:2000]
            return next(
                (name for name, words in _KNOWN.items() if _matches(words, text)), "unknown"
            )
    return "unknown"


def _matches(words: str, text: str) -> bool:
    return re.search(words, text, re.IGNORECASE) is not None


def _required(found: Distribution, extra: str) -> Iterator[Requirement]:
    for line in found.requires or []:
        wanted = Requirement(line)
        if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
            yield wanted


if __name__ == "__main__":
    if "--check" in sys.argv:
        found = [*differences(PAGE.read_text("utf-8"))]
        sys.exit("\n".join(found) or 0)
    PAGE.write_text(page(), "utf-8")
