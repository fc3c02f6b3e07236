"""A real process, killed with SIGKILL at random moments, on SQLite and on PostgreSQL."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from .victim import AGENTS, ASKING, STEPS

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


def _live(zygote, folder: Path, journal: str, enough: Callable[[list[list[str]]], bool]) -> bool:
    """Let a process live until it left enough lines; tell whether it came to its end."""
    zygote.stdin.write(f"{folder}\t{journal}\n")
    zygote.stdin.flush()
    process = int(zygote.stdout.readline())
    result = folder / "result.json"
    while not result.exists() and not enough(_lines(folder)):
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
    assert result["result"] == f"final: {AGENTS + 1}"
    for n in range(AGENTS):
        assert f"agent{n} has charged 0/charged 1/charged 2/charged 3" in result["told"]
    used = AGENTS * (STEPS + 1) + STEPS + 2
    assert used <= result["usage"] <= used + kills, "a graph's lost step was paid for"
    ended: set[str] = set()
    life = 0
    done_in_life: dict[tuple[str, str, str], set[int]] = {}
    keys: dict[tuple[str, str], set[str]] = {}
    for words in _lines(folder):
        if words[0] == "start":
            life += 1
        elif words[0] == "ended":
            ended.add(words[1])
        elif words[0] in ("model", "tool"):
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
    most = AGENTS * (2 * STEPS + 2) + STEPS + 3
    marks = sorted(chance.randint(1, most) for _ in range(chance.choice([1, 1, 2])))
    marks.append(10 * most)
    lives = 1
    while not _live(zygote, folder, journal, lambda lines: len(lines) >= marks[0]):
        marks.pop(0)
        lives += 1
    _check(folder, lives - 1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(MOMENTS))
def test_killed_on_sqlite(zygote, tmp_path, seed):
    _survives(zygote, tmp_path, str(tmp_path / "journal.sqlite"), seed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("moment", ["asked", "decided"])
def test_killed_while_a_person_is_asked(zygote, tmp_path, moment):
    journal, lives = str(tmp_path / "journal.sqlite"), 1
    if not _live(zygote, tmp_path, journal, lambda lines: [moment] in lines):
        lives += 1
        assert _live(zygote, tmp_path, journal, lambda _: False)
    _check(tmp_path, lives - 1)
    asked = [words for words in _lines(tmp_path) if words[0] == "asked"]
    assert len(asked) == lives or moment == "decided"
    paid = [words for words in _lines(tmp_path) if words[:3] == ["tool", ASKING[0], str(ASKING[1])]]
    assert len(paid) == 1 or moment == "decided"


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", range(100, 104))
def test_killed_on_postgres(zygote, tmp_path, postgres, seed):
    _survives(zygote, tmp_path, postgres.url, seed)
