"""What every benchmark needs: a server process, interleaved rounds, a table and a last line."""

from __future__ import annotations

import gc
import json
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class BenchServer:
    """A running server and its base URL, with its `/v1`."""

    url: str

    def hold(self, waiting: int) -> None:
        """Hold replies back until so many requests wait."""
        self._ask(f"/control?hold={waiting}")

    def connections(self) -> int:
        """Return how many connections were accepted so far, this question's among them."""
        return int(self._ask("/stats")["connections"])

    def _ask(self, path: str) -> dict[str, int]:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        address = self.url.removesuffix("/v1") + path
        with urllib.request.urlopen(address, context=context) as response:
            answer: dict[str, int] = json.load(response)
            return answer


@contextmanager
def serving(certificate: str | None = None) -> Iterator[BenchServer]:
    """Run the benchmark server in a process of its own."""
    command = [sys.executable, str(HERE / "_server.py")]
    if certificate is not None:
        command += ["--certificate", certificate]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            scheme, host = ("https", "localhost") if certificate else ("http", "127.0.0.1")
            yield BenchServer(f"{scheme}://{host}:{port}/v1")
        finally:
            process.kill()


def cpu_us(work: Callable[[], object], units: int) -> float:
    """Return the microseconds of this process's CPU time that each unit of the work took."""
    started = time.process_time()
    work()
    return (time.process_time() - started) / units * 1e6


async def acpu_us(work: Callable[[], Awaitable[object]], units: int) -> float:
    """Return the same for work on an event loop."""
    started = time.process_time()
    await work()
    return (time.process_time() - started) / units * 1e6


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector off meanwhile."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def interleave(
    contestants: Mapping[str, Callable[[], float]], rounds: int
) -> dict[str, list[float]]:
    """Measure the contestants in turn, so that a slow minute of the machine hits them all.

    What the imports left on the heap is frozen first: else the garbage collector's walks over it
    fall on one contestant or another by chance.
    """
    gc.collect()
    gc.freeze()
    found: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            gc.collect()
            found[name].append(measure())
    return found


def medians(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return each contestant's median."""
    return {name: statistics.median(values) for name, values in found.items()}


def print_table(title: str, unit: str, rows: Mapping[str, float], base: str) -> None:
    """Print medians and how they compare with one of them."""
    print(f"\n{title}")
    width = max(map(len, rows))
    for name, value in rows.items():
        print(f"  {name:<{width}}  {value:10.1f} {unit}   {value / rows[base]:6.2f} x {base}")


def print_result(figures: Mapping[str, float]) -> None:
    """Print the figures as the last line, one JSON object."""
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
