"""Check what is about to be released: build, look into it, install it everywhere. `make release`.

Takes a quarter of an hour or more and the package index; the fast part is in the test suite. The
exit code is 1 where anything failed. `--page` writes docs/release.md.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from langchain_kimi import __version__
from scripts.release import artifacts, page
from scripts.release.matrix import PYTHONS, Matrix, Outcome

PAGE = artifacts.ROOT / "docs" / "release.md"


def main() -> int:
    """Check, print tables, and say with the exit code whether all is well."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        scratch = Path(name)
        built = artifacts.build(artifacts.ROOT, scratch / "first", isolated=True)
        checks = look(built, scratch)
        for check, problems in checks.items():
            print(f"{check}: {'ok' if not problems else ''}", *problems, sep="\n  ", flush=True)
        outcomes = install(built, scratch, options)
        day = datetime.now(UTC).date().isoformat()
        told = page.page(built, checks, outcomes, day)
    print(f"\n{told}")
    if options.page:
        PAGE.write_text(told, "utf-8")
    return int(any(checks.values()) or any(one.problem for one in outcomes))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", nargs="+", default=PYTHONS, help="as 3.12, or as a path")
    parser.add_argument("--extra", nargs="+", help="core, or extras; all by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--page", action="store_true", help="write docs/release.md")
    return parser.parse_args()


def look(built: artifacts.Artifacts, scratch: Path) -> dict[str, list[str]]:
    """Look into the artifacts; return the problems of each check."""
    tree = artifacts.unpack(built.sdist, scratch / "tree")
    again = artifacts.build(tree, scratch / "second", isolated=True)
    same = built.digests() == again.digests()
    return {
        "built twice, byte for byte the same": [] if same else ["the builds differ"],
        "the wheel's files": artifacts.wheel_problems(built),
        "the sdist's files": artifacts.sdist_problems(built),
        "the metadata": artifacts.metadata_problems(built, __version__),
        "twine check --strict": twine_problems(built, scratch),
        "nothing uncommitted": uncommitted(),
    }


def install(
    built: artifacts.Artifacts, scratch: Path, options: argparse.Namespace
) -> list[Outcome]:
    """Install the wheel with each extra, and the sdist alone."""
    metadata = built.metadata()
    uv = shutil.which("uv") or tool(scratch, "uv")
    extras = options.extra or ["core", *sorted(metadata.provides_extra or [])]
    outcomes = []
    for artifact, which in ((built.wheel, extras), (built.sdist, ["core"])):
        places = scratch / artifact.suffix.strip(".")
        places.mkdir()
        matrix = Matrix(artifact=artifact, metadata=metadata, uv=uv, scratch=places)
        for one in matrix.run(options.python, which, options.jobs):
            print(one.extra, one.python, one.resolution, one.problem or "ok", flush=True)
            outcomes.append(one if artifact is built.wheel else as_sdist(one))
    return outcomes


def as_sdist(one: Outcome) -> Outcome:
    """Name an outcome after the sdist that was installed."""
    return Outcome(**{**vars(one), "extra": "core, from the sdist"})


def tool(scratch: Path, name: str) -> str:
    """Install a program from the package index for this run; return its path."""
    place = scratch / f"tool-{name}"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    subprocess.run([place / "bin" / "pip", "install", "--quiet", name], check=True)
    return str(place / "bin" / name)


def twine_problems(built: artifacts.Artifacts, scratch: Path) -> list[str]:
    """Let the index's own check look at both files."""
    command = [tool(scratch, "twine"), "check", "--strict", built.sdist, built.wheel]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def uncommitted() -> list[str]:
    """Say what of the tree is not what git has: it would be released all the same."""
    command = ["git", "status", "--porcelain"]
    done = subprocess.run(command, cwd=artifacts.ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
