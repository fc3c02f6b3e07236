"""A real process, killed with SIGKILL at random moments, on SQLite and on PostgreSQL."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from .victim import AGENTS, STEPS

ROOT = Path(__file__).parents[2]
MOMENTS = 20


@pytest.fixture(scope="module")
def zygote():
    """A process that has everything imported and forks those that are killed."""
    command = [sys.executable, "-m", "tests.swarm.victim"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def _lines(folder: Path) -> list[list[str]]:
    trace = folder / "trace"
    return [line.split() for line in trace.read_text().splitlines()] if trace.exists() else []


def _live(zygote, folder: Path, journal: str, most_lines: float) -> bool:
    """Let a process live until it left so many lines; tell whether it came to its end."""
    zygote.stdin.write(f"{folder}\t{journal}\n")
    zygote.stdin.flush()
    process = int(zygote.stdout.readline())
    result = folder / "result.json"
    while not result.exists() and len(_lines(folder)) < most_lines:
        assert Path(f"/proc/{process}/stat").exists()
        if Path(f"/proc/{process}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.002)
    if not result.exists():
        os.kill(process, signal.SIGKILL)
    status = int(zygote.stdout.readline())
    assert status in (0, signal.SIGKILL), (folder / "log").read_text()[-3000:]
    return status == 0


def _check(folder: Path, kills: int) -> None:
    """No sub-agent that ended was redone; of the others at most the step in flight, each kill."""
    result = json.loads((folder / "result.json").read_text())
    assert result["result"] == f"final: {AGENTS}"
    for n in range(AGENTS):
        assert f"agent{n} has charged 0/charged 1/charged 2/charged 3" in result["told"]
    assert result["usage"] == AGENTS * (STEPS + 1) + 2
    ended: set[str] = set()
    life = 0
    done_in_life: dict[tuple[str, str, str], set[int]] = {}
    keys: dict[tuple[str, str], set[str]] = {}
    for words in _lines(folder):
        if words[0] == "start":
            life += 1
        elif words[0] == "ended":
            ended.add(words[1])
        else:
            what, agent, step = words[:3]
            assert agent not in ended, f"{agent} had ended, and was called again"
            done_in_life.setdefault((what, agent, step), set()).add(life)
            if what == "tool":
                keys.setdefault((agent, step), set()).add(words[3])
    redone = Counter()
    for (what, agent, _), lives in done_in_life.items():
        for again in sorted(lives)[1:]:
            redone[what, agent, again] += 1
    assert all(count == 1 for count in redone.values()), "more than the step in flight was redone"
    assert all(len(known) == 1 for known in keys.values()), "an idempotency key changed"
    assert life == kills + 1


def _survives(zygote, folder: Path, journal: str, seed: int) -> None:
    chance = random.Random(seed)
    most = AGENTS * (2 * STEPS + 2)
    marks = sorted(chance.randint(1, most) for _ in range(chance.choice([1, 1, 2])))
    lives = 1
    while not _live(zygote, folder, journal, marks.pop(0) if marks else float("inf")):
        lives += 1
    _check(folder, lives - 1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(MOMENTS))
def test_killed_on_sqlite(zygote, tmp_path, seed):
    _survives(zygote, tmp_path, str(tmp_path / "journal.sqlite"), seed)


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def _as_nobody(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() == 0:
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
    return command


@pytest.fixture(scope="module")
def postgres(tmp_path_factory):
    """A PostgreSQL server of our own, in a temporary folder, on a socket in it."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's initdb is not in /usr/lib/postgresql/*/bin")
    folder = Path("/tmp") / f"swarm-postgres-{os.getpid()}"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    data = str(folder / "data")
    control = [str(binaries / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
    initdb = [str(binaries / "initdb"), "-D", data, "-A", "trust", "-U", "test", "-E", "UTF8"]
    subprocess.run(_as_nobody(initdb), check=True, capture_output=True, cwd="/tmp")
    options = f"-k {folder} -c listen_addresses='' -c fsync=on"
    subprocess.run(
        _as_nobody([*control, "-o", options, "start"]), check=True, capture_output=True, cwd="/tmp"
    )
    try:
        yield f"postgresql://test@/postgres?host={folder}", [*control, "-o", options]
    finally:
        subprocess.run(
            _as_nobody([*control, "-m", "immediate", "stop"]),
            check=True,
            capture_output=True,
            cwd="/tmp",
        )
        shutil.rmtree(folder)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(100, 104))
def test_killed_on_postgres(zygote, tmp_path, postgres, seed):
    pytest.importorskip("psycopg")
    url, _ = postgres
    # Each test has a schema of its own, for all runs have the same name.
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA s{seed}")
    _survives(zygote, tmp_path, f"{url}&options=-csearch_path%3Ds{seed}", seed)


@pytest.mark.timeout(120)
async def test_a_lost_connection_is_made_anew(postgres):
    pytest.importorskip("psycopg")
    from langchain_kimi.swarm import open_journal
    from langchain_kimi.swarm.records import Kind, Record

    url, control = postgres
    journal = open_journal(url)
    log = await journal.open("lost")
    await log.append(Record(Kind.REPLY, "a", {"step": 1}))
    restart = _as_nobody([*control, "-m", "immediate", "restart"])
    await asyncio.to_thread(subprocess.run, restart, check=True, capture_output=True, cwd="/tmp")
    await log.append(Record(Kind.REPLY, "a", {"step": 2}))
    assert [record.body["step"] for record in await journal.read("lost")] == [1, 2]
    assert [info.name for info in await journal.runs()] == ["lost"]
    await log.save("a/x.txt", "text/plain", b"x")
    assert await journal.artifact("lost", "a/x.txt") == ("text/plain", b"x")
    assert await journal.prune(older_than=-1) == ["lost"]
    await journal.aclose()
