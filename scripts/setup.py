"""Set up `.venv` with the package and all that its tests and demo need; no root, stdlib only.

uv does it when it is there. Else the standard venv and pip do; where Debian has left out
ensurepip, pip comes from an installed pip or from Debian's own wheel of it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
AEGRA = VENV / "aegra"
AEGRA_EXTRAS = "aegra,local,milvus,office,rag,workers"  # as in deploy/Dockerfile
NO_PIP = (
    "This Python has neither ensurepip nor pip. Install one as root, apt-get install python3-venv, "
    "or uv as yourself (https://docs.astral.sh/uv), and run make again."
)
WHAT = ["-e", str(ROOT), "--group", f"{ROOT}/pyproject.toml:dev"]  # the group names the extras


def run(*command: object, **kwargs: object) -> None:
    """Run a command; stop with its error if it fails."""
    subprocess.run([str(part) for part in command], check=True, **kwargs)  # type: ignore[call-overload]


def with_uv(uv: str) -> None:
    """Make the environment with uv."""
    run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV)
    run(uv, "pip", "install", "--quiet", "--python", PYTHON, *WHAT)


def with_pip() -> None:
    """Make the environment with venv and pip."""
    if importlib.util.find_spec("ensurepip"):
        run(sys.executable, "-m", "venv", VENV)
    else:
        run(sys.executable, "-m", "venv", "--without-pip", VENV)
        if importlib.util.find_spec("pip"):
            run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "pip")
        else:
            pip_from_debian()
    run(PYTHON, "-m", "pip", "install", "--quiet", "--upgrade", "pip>=25.1")
    run(PYTHON, "-m", "pip", "install", "--quiet", *WHAT)


def pip_from_debian() -> None:
    """Install pip from the wheel that Debian packages, fetched and unpacked without root."""
    apt = shutil.which("apt-get")
    if apt is None:
        sys.exit(NO_PIP)
    try:
        fetch_pip(apt)
    except (subprocess.CalledProcessError, StopIteration):
        sys.exit(f"pip could not be fetched. {NO_PIP}")


def fetch_pip(apt: str) -> None:
    """Let apt fetch the package into a folder of our own, and install the wheel in it."""
    with tempfile.TemporaryDirectory() as scratch:
        lists = Path(scratch, "lists", "partial")
        cache = Path(scratch, "cache", "archives", "partial")
        lists.mkdir(parents=True)
        cache.mkdir(parents=True)
        own = [
            "-o", f"Dir::State::lists={lists.parent}",
            "-o", f"Dir::Cache={cache.parent.parent}",
            "-o", "APT::Sandbox::User=",
            "-qq",
        ]  # fmt: skip
        run(apt, *own, "update")
        run(apt, *own, "download", "python3-pip-whl", cwd=scratch)
        package = next(Path(scratch).glob("python3-pip-whl*.deb"))
        run("dpkg-deb", "-x", package, scratch)
        wheel = next(Path(scratch).glob("usr/share/python-wheels/pip-*.whl"))
        run(PYTHON, f"{wheel}/pip", "install", "--quiet", "pip")


def with_npm(npm: str) -> None:
    """Install the JavaScript client that tests drive the server with; they skip without it."""
    done = subprocess.run(
        [npm, "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=ROOT / "tests/server/js",
        check=False,
    )
    if done.returncode:
        print("could not install the JavaScript client: the tests that need it will skip")


def with_aegra() -> None:
    """Install the self-hosted server apart, on a Python that it supports."""
    python = newer_python()
    if python is None:
        print("no Python 3.12 or later was found: the tests of the self-hosted server will skip")
        return
    print(f"Setting up .venv/aegra with {python} …", flush=True)
    what = ["-e", f"{ROOT}[{AEGRA_EXTRAS}]"]
    try:
        if uv := shutil.which("uv"):
            run(uv, "venv", "--quiet", "--allow-existing", "--python", python, AEGRA)
            run(uv, "pip", "install", "--quiet", "--python", AEGRA / "bin/python", *what)
        else:
            run(python, "-m", "venv", AEGRA)
            run(AEGRA / "bin/python", "-m", "pip", "install", "--quiet", *what)
        (AEGRA / ".ready").touch()
    except subprocess.CalledProcessError as error:
        print(
            f"could not install Aegra (exit {error.returncode}): the tests that need it will skip"
        )


def newer_python() -> str | None:
    """Return a Python from 3.12 on: this one, one on the PATH, or one installed beside this one."""
    beside = sorted(Path(sys.base_prefix).parent.glob("*/bin/python3"))
    named = [shutil.which(f"python3.{minor}") for minor in (12, 13)]
    for python in (sys.executable, *named, *map(str, beside)):
        asked = [python, "-c", "import sys, venv; print((3, 12) <= sys.version_info < (3, 14))"]
        if not python:
            continue
        told = subprocess.run(asked, capture_output=True, text=True, check=False)
        if told.stdout == "True\n":
            return python
    return None


def main() -> None:
    """Set up the environment, or say why not."""
    if sys.argv[1:] == ["aegra"]:
        with_aegra()
        return
    if not (3, 11) <= sys.version_info < (3, 14):
        sys.exit(
            f"Python {sys.version.split()[0]} is not supported; use 3.11 to 3.13: "
            "make PYTHON=python3.12 …"
        )
    uv = shutil.which("uv")
    print(f"Setting up .venv with {'uv' if uv else 'pip'} …", flush=True)
    try:
        with_uv(uv) if uv else with_pip()
    except subprocess.CalledProcessError as error:
        sys.exit(f"Setting up failed: {' '.join(map(str, error.cmd))} (exit {error.returncode})")
    if npm := shutil.which("npm"):
        with_npm(npm)
    (VENV / ".ready").touch()


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
