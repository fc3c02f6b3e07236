"""The table of a release check, for the terminal and for docs/release.md."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Sequence

from packaging.utils import canonicalize_name
from packaging.version import Version

from scripts.release.artifacts import Artifacts
from scripts.release.matrix import RESOLUTIONS, Outcome

HEAD = """# What a release is checked for

`make release` builds the sdist and the wheel, looks into both, and installs them in empty
environments: on each Python, with the oldest versions that `pyproject.toml` allows and with the
newest, the package alone and each extra by itself. In each it does what that extra is there for
(`scripts/release/uses.py`). It writes this page. The test suite does the fast part of it in every
run (`tests/release/`).

The oldest are the floors of what the package and the extra name; what those bring along is the
newest that fits them.
"""


def page(
    artifacts: Artifacts, checks: dict[str, list[str]], outcomes: Sequence[Outcome], day: str
) -> str:
    """Return the page."""
    size = {path.name: path.stat().st_size // 1024 for path in (artifacts.sdist, artifacts.wheel)}
    files = [f"- `{name}`, {size[name]} KB" for name in sorted(size)]
    done = [f"- {name}: {_state(problems)}" for name, problems in checks.items()]
    return "\n".join(
        [
            HEAD,
            f"## The last run\n\n{day}, {platform.system()} {platform.machine()}.\n",
            *files,
            *done,
            f"\n{table(outcomes)}",
            *_problems(outcomes),
            "## Versions\n",
            versions(outcomes),
        ]
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Return what was installed and used, as a table: extras down, environments across."""
    columns = sorted({(one.python, one.resolution) for one in outcomes})
    lines = [["extra", *(f"{python} {resolution}" for python, resolution in columns)]]
    lines.append(["---"] * (1 + len(columns)))
    for extra in dict.fromkeys(one.extra for one in outcomes):
        cells = {(one.python, one.resolution): one for one in outcomes if one.extra == extra}
        states = [_cell(cells.get(column)) for column in columns]
        lines.append([extra, *states])
    return _aligned(lines)


def versions(outcomes: Iterable[Outcome]) -> str:
    """Return the versions of what is named, as a table."""
    found: dict[str, dict[str, set[str]]] = {}
    for one in outcomes:
        for name, version in one.versions.items():
            ways = found.setdefault(canonicalize_name(name), {way: set() for way in RESOLUTIONS})
            ways[one.resolution].add(version)
    lines = [["distribution", *RESOLUTIONS], ["---"] * (1 + len(RESOLUTIONS))]
    for name, ways in sorted(found.items()):
        lines.append([name, *(", ".join(sorted(ways[way], key=Version)) for way in RESOLUTIONS)])
    return _aligned(lines)


def _state(problems: Sequence[str]) -> str:
    return "ok" if not problems else "; ".join(problems)


def _cell(outcome: Outcome | None) -> str:
    return "—" if outcome is None else "FAILED" if outcome.problem else "ok"


def _problems(outcomes: Iterable[Outcome]) -> list[str]:
    return [
        f"- {one.extra}, Python {one.python}, {one.resolution}: {one.problem}\n"
        for one in outcomes
        if one.problem
    ]


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "".join(f"| {line} |\n" for line in padded)
