"""Workers on one PostgreSQL: throughput, sharing, taking over.

    python benchmarks/workers.py            needs PostgreSQL in /usr/lib/postgresql (Debian's)
    python benchmarks/workers.py --quick    fewer runs

A run is one call of the orchestrator on the scripted endpoint, so that what is measured is the
queue's, the journal's and the checkpoints'. Sharing: calls of 2 s, four runs at a time for each
worker, one worker against two. Taking over: two workers with room for all, one gets SIGKILL while
its runs are at work; the time is from the kill to the moment when the last of them is at work
again, as the queue noted it. The last line is JSON.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from _harness import print_result

from langchain_kimi.testing import KimiServer, Part, say, slow_first_token
from langchain_kimi.workers import Queue, RunStatus

CALL_SECONDS = 2.0
LONG_SECONDS = 8.0
AT_A_TIME = 4


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server of our own, on a socket in its folder; yield its URL without the database."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        sys.exit("PostgreSQL's initdb is not in /usr/lib/postgresql/*/bin")
    folder = Path(tempfile.mkdtemp(prefix="workers-", dir="/tmp"))
    who: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def run(program: str, *arguments: str) -> None:
        command = [*who, str(found[-1].with_name(program)), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/tmp")

    data = str(folder / "data")
    options = f"-k {folder} -c listen_addresses=''"
    run("initdb", "-D", data, "-A", "trust", "-U", "bench", "-E", "UTF8")
    run("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield f"postgresql://bench@/{{}}?host={folder}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


class Trial:
    """A queue in a database of its own, and its workers."""

    def __init__(self, server: str, name: str, kimi: KimiServer, at_a_time: int) -> None:
        import psycopg

        with psycopg.connect(server.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")  # a name of ours
        self.where = server.format(name)
        self.queue = Queue(self.where)
        self.log = Path(tempfile.mkdtemp(prefix="workers-log-")) / "ended"
        self.log.touch()
        self._kimi = kimi
        self._at_a_time = at_a_time
        self.workers: list[subprocess.Popen[bytes]] = []

    def hire(self, count: int) -> None:
        """Start workers, and wait until each has done a run."""
        command = [sys.executable, str(Path(__file__).with_name("_worker.py")), self.where]
        command += [self._kimi.base_url, str(self.log), str(self._at_a_time)]
        self.workers += [subprocess.Popen(command) for _ in range(count)]
        warm: set[str | None] = set()
        while len(warm) < count:
            self.submit(2 * count)
            warm = {one.worker for one in self.ended()}

    def submit(self, count: int) -> list[str]:
        """Put so many runs into the queue."""
        return [self.queue.submit("Say yes.") for _ in range(count)]

    def ended(self) -> list[RunStatus]:
        """Wait until there is nothing to do."""
        while True:
            runs = self.queue.runs(limit=10_000)
            if all(one.state == "ended" for one in runs):
                return runs
            time.sleep(0.05)

    def seconds(self, count: int) -> float:
        """Return how long so many runs take, from the first's beginning to the last's end."""
        wanted = set(self.submit(count))
        runs = [one for one in self.ended() if one.id in wanted]
        begun = min(one.begun for one in runs if one.begun)
        return (max(one.ended for one in runs if one.ended) - begun).total_seconds()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.queue.close()
        shutil.rmtree(self.log.parent)


class Endpoint:
    """A scripted reply that may take time."""

    seconds = 0.0

    def __call__(self, _request: object) -> list[Part]:
        """Reply."""
        return [slow_first_token(self.seconds), say("Yes.")]


def measure(server: str, kimi: KimiServer, reply: Endpoint, *, quick: bool) -> dict[str, float]:
    """Measure everything."""
    found: dict[str, float] = {}
    with Trial(server, "one", kimi, 8) as trial:
        trial.hire(1)
        count = 40 if quick else 160
        found["runs_per_s_1_worker"] = count / trial.seconds(count)
        waits = []
        for _ in range(20 if quick else 60):
            (run,) = trial.submit(1)
            status = trial.queue.wait(run)
            assert status.begun is not None
            waits.append((status.begun - status.submitted).total_seconds())
        found["queue_wait_p95_s"] = statistics.quantiles(waits, n=20)[-1]
        print(f"one worker: {count} runs, {found['runs_per_s_1_worker']:.1f} a second")
        print(f"waiting of a lone run: median {statistics.median(waits):.2f} s")

    count = 16 if quick else 48
    took = {}
    for workers in (1, 2):
        with Trial(server, f"share{workers}", kimi, AT_A_TIME) as trial:
            reply.seconds = 0.0
            trial.hire(workers)
            reply.seconds = CALL_SECONDS
            took[workers] = trial.seconds(count)
            print(f"{workers} workers, {count} runs of {CALL_SECONDS:g} s: {took[workers]:.1f} s")
    found["scaling_2_workers"] = took[1] / took[2]

    takeovers = []
    lost = repeated = 0
    for trial_number in range(1 if quick else 3):
        with Trial(server, f"kill{trial_number}", kimi, 20) as trial:
            reply.seconds = 0.0
            trial.hire(2)
            reply.seconds = LONG_SECONDS
            wanted = []
            for _ in range(12):  # one after the other, so that both workers take some
                wanted += trial.submit(1)
                time.sleep(0.15)
            time.sleep(1)
            victim = trial.workers[0]
            victim.kill()
            killed = time.time()
            held = {
                one.id
                for one in trial.queue.runs(limit=10_000)
                if one.state == "running" and f"-{victim.pid}-" in str(one.worker)
            }
            ended = {one.id: one for one in trial.ended()}
            again = [one.begun.timestamp() - killed for r in held if (one := ended[r]).begun]
            takeovers.append(max(again, default=0.0))
            ends = Counter(trial.log.read_text().split())
            lost += sum(run not in ends for run in wanted)
            repeated += sum(ends[run] > 1 for run in wanted)
            print(f"killed with {len(held)} runs at work: all back after {takeovers[-1]:.2f} s")
    reply.seconds = 0.0
    return {**found, "takeover_s": max(takeovers), "lost_runs": lost, "repeated_runs": repeated}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    arguments = parser.parse_args()
    reply = Endpoint()
    with postgres() as server, KimiServer("vllm", api_key="none") as kimi:
        kimi.respond_with(reply)
        print_result(measure(server, kimi, reply, quick=arguments.quick))


if __name__ == "__main__":
    main()
