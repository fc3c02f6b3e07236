"""What a call and a streamed chunk of ChatKimi cost, beside raw aiohttp, ChatNVIDIA and ChatOpenAI.

Only the CPU time of this process counts; the server runs in another. All contestants talk to the
same server, in turn, round by round; the figures are medians. Run `python benchmarks/transport.py`
or, in about twenty seconds, `python benchmarks/transport.py --quick`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

os.environ["NVIDIA_USAGE_TELEMETRY_ENABLED"] = "0"
os.environ["LANGSMITH_TRACING"] = "false"

import aiohttp
import trustme
from _harness import (
    BenchServer,
    acpu_us,
    cpu_us,
    interleave,
    medians,
    print_result,
    print_table,
    serving,
    uncollected,
)
from _server import CHUNKS
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_nvidia_ai_endpoints import ChatNVIDIA
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_kimi import ChatKimi

MODEL = "moonshotai/kimi-k2.6"
MESSAGES = [SystemMessage("Answer briefly. " * 60), HumanMessage("What is the capital of France?")]
PAYLOAD = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": MESSAGES[0].content},
        {"role": "user", "content": MESSAGES[1].content},
    ],
    "max_tokens": 1024,
}
THREADS = 32

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    rounds: int
    waves: int
    imports: int


FULL = Plan(rounds=7, waves=3, imports=9)
QUICK = Plan(rounds=3, waves=1, imports=3)


def chat_kimi(url: str, verify: bool | str = True) -> ChatKimi:
    return ChatKimi(
        model=MODEL, api_key="nvapi-x", base_url=url, endpoint="vllm", verify_ssl=verify
    )


def chat_nvidia(url: str, verify: bool | str = True) -> ChatNVIDIA:
    return ChatNVIDIA(model=MODEL, api_key="nvapi-x", base_url=url, verify_ssl=verify)


def chat_openai(url: str) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, api_key=SecretStr("nvapi-x"), base_url=url, max_retries=0)


def of_model(model: BaseChatModel) -> Call:
    return lambda: model.ainvoke(MESSAGES)


@contextmanager
def raw_session(
    runner: asyncio.Runner, verify: bool | str = True
) -> Iterator[aiohttp.ClientSession]:
    """Open a plain pooled session on the runner's loop."""
    context = ssl.create_default_context(cafile=verify) if isinstance(verify, str) else True

    async def connect() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=context))

    session = runner.run(connect())
    try:
        yield session
    finally:
        runner.run(session.close())


def of_session(session: aiohttp.ClientSession, url: str) -> Call:
    """Make the call as plainly as aiohttp allows."""

    async def call() -> None:
        headers = {"Authorization": "Bearer nvapi-x"}
        address = f"{url}/chat/completions"
        async with session.post(address, json=PAYLOAD, headers=headers) as response:
            await response.json()

    return call


def calls_in_flight(
    runner: asyncio.Runner, server: BenchServer, calls: dict[str, Call], in_flight: int, plan: Plan
) -> dict[str, float]:
    """Return the CPU time of each contestant's call with so many truly in flight at once.

    The garbage collector waits until each round is over, as `timeit` has it: when it walks the
    heap, and over how much, depends on all that a process holds. A second table has the calls
    with it.
    """
    server.hold(in_flight)

    def measure(call: Call, waves: int, collecting: bool = False) -> float:
        async def work() -> None:
            for _ in range(waves):
                await asyncio.gather(*(call() for _ in range(in_flight)))

        with nullcontext() if collecting else uncollected():
            return runner.run(acpu_us(work, in_flight * waves))

    for call in calls.values():
        measure(call, 1)
    contestants = {
        name: lambda call=call: measure(call, plan.waves) for name, call in calls.items()
    } | {
        f"{name}, collected": lambda call=call: measure(call, plan.waves, collecting=True)
        for name, call in calls.items()
    }
    found = medians(interleave(contestants, plan.rounds))
    server.hold(1)
    scheme = "TLS" if server.url.startswith("https") else "plain"
    title = f"CPU per call, {in_flight} in flight, {scheme}"
    print_table(title, "us", {name: found[name] for name in calls}, "aiohttp")
    collected = {name: found[f"{name}, collected"] for name in calls}
    print_table(f"{title}, with the garbage collector", "us", collected, "aiohttp")
    return found


def connections_over_in_flight(
    runner: asyncio.Runner, server: BenchServer, plan: Plan, in_flight: int = 300
) -> float:
    """Return how many connections ChatKimi opens for each call in flight, at most 1 if pooled."""
    model = chat_kimi(server.url)

    def opened(work: Callable[[], object]) -> int:
        before = server.connections()
        work()
        return server.connections() - before - 1

    async def waves() -> None:
        for _ in range(plan.waves + 1):
            await asyncio.gather(*(model.ainvoke(MESSAGES) for _ in range(in_flight)))
        await model.aclose()

    def threads() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda _: model.invoke(MESSAGES), range(6 * THREADS)))
        model.close()

    server.hold(in_flight)
    found = opened(lambda: runner.run(waves()))
    server.hold(1)
    in_threads = opened(threads)
    print("\nConnections of ChatKimi")
    print(f"  {found} opened for {plan.waves + 1} waves of {in_flight} asynchronous calls")
    print(f"  {in_threads} opened for {6 * THREADS} calls from {THREADS} threads")
    return max(found / in_flight, in_threads / THREADS)


def streamed_chunks(
    runner: asyncio.Runner, models: dict[str, BaseChatModel], plan: Plan
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the CPU time of each streamed chunk, asynchronous and synchronous."""

    def asynchronous(model: BaseChatModel) -> float:
        async def work() -> None:
            assert sum([1 async for _ in model.astream(MESSAGES)]) >= CHUNKS

        return runner.run(acpu_us(work, CHUNKS))

    def synchronous(model: BaseChatModel) -> float:
        def work() -> None:
            assert sum(1 for _ in model.stream(MESSAGES)) >= CHUNKS

        return cpu_us(work, CHUNKS)

    found = []
    for title, measure in (("asynchronous", asynchronous), ("synchronous", synchronous)):
        contestants = {name: lambda m=m, f=measure: f(m) for name, m in models.items()}
        found.append(medians(interleave(contestants, plan.rounds)))
        print_table(f"CPU per streamed chunk, {title}", "us", found[-1], "ChatNVIDIA")
    return found[0], found[1]


def construction_ms(url: str) -> float:
    """Return the median time to construct a ChatKimi."""
    chat_kimi(url)
    times = []
    for _ in range(200):
        started = time.perf_counter()
        chat_kimi(url)
        times.append((time.perf_counter() - started) * 1e3)
    found = statistics.median(times)
    print(f"\nConstruction of ChatKimi: {found:.3f} ms")
    return found


def import_ratio(plan: Plan) -> float:
    """Return how the CPU time of importing ChatKimi compares with importing ChatNVIDIA.

    The garbage collector is off for the figure: one of its full collections falls due right after
    the import of ChatNVIDIA, and would be charged to whatever is imported next. The table shows
    the times with it, too. Bytecode is written before, as an installation leaves it.
    """
    imports = {
        "ChatNVIDIA": "from langchain_nvidia_ai_endpoints import ChatNVIDIA",
        "ChatKimi": "from langchain_kimi import ChatKimi",
    }
    scripts = {name: f"gc.disable(); {statement}" for name, statement in imports.items()}
    scripts |= {f"{name}, collected": statement for name, statement in imports.items()}
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

    def measure(script: str) -> float:
        timed = (
            f"import gc, time; t = time.process_time(); {script}; print(time.process_time() - t)"
        )
        command = [sys.executable, "-c", timed]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return float(done.stdout) * 1e3

    measure(scripts["ChatKimi"])
    contestants = {name: lambda s=script: measure(s) for name, script in scripts.items()}
    found = medians(interleave(contestants, plan.imports))
    print_table("CPU time of the import", "ms", found, "ChatNVIDIA")
    return found["ChatKimi"] / found["ChatNVIDIA"]


@contextmanager
def certificates() -> Iterator[tuple[str, str]]:
    """Make a key with its certificate for localhost, and its authority's certificate."""
    authority = trustme.CA()
    with tempfile.TemporaryDirectory() as folder:
        pair, ca_file = f"{folder}/server.pem", f"{folder}/ca.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(pair)
        authority.cert_pem.write_to_path(ca_file)
        yield pair, ca_file


def measure_plain(runner: asyncio.Runner, plan: Plan) -> dict[str, float]:
    """Measure over plain HTTP."""
    with serving() as server, raw_session(runner) as session:
        calls = {
            "aiohttp": of_session(session, server.url),
            "ChatKimi": of_model(chat_kimi(server.url)),
            "ChatNVIDIA": of_model(chat_nvidia(server.url)),
        }
        at_100 = Plan(rounds=3, waves=1, imports=0)
        openai = {"ChatOpenAI": of_model(chat_openai(server.url))}
        calls_in_flight(runner, server, calls | openai, 100, at_100)
        at_300 = calls_in_flight(runner, server, calls, 300, plan)
        models = {
            "ChatKimi": chat_kimi(server.url),
            "ChatNVIDIA": chat_nvidia(server.url),
            "ChatOpenAI": chat_openai(server.url),
        }
        chunks = streamed_chunks(runner, models, plan)
        return {
            "cpu_vs_aiohttp_300": at_300["ChatKimi"] / at_300["aiohttp"],
            "cpu_vs_chatnvidia_300": at_300["ChatKimi"] / at_300["ChatNVIDIA"],
            "connections_over_in_flight": connections_over_in_flight(runner, server, plan),
            "chunk_vs_chatnvidia": max(one["ChatKimi"] / one["ChatNVIDIA"] for one in chunks),
            "chunk_vs_chatopenai": max(one["ChatKimi"] / one["ChatOpenAI"] for one in chunks),
            "init_ms": construction_ms(server.url),
        }


def measure_tls(runner: asyncio.Runner, plan: Plan) -> dict[str, float]:
    """Measure over TLS."""
    with (
        certificates() as (pair, ca_file),
        serving(pair) as server,
        raw_session(runner, ca_file) as session,
    ):
        calls = {
            "aiohttp": of_session(session, server.url),
            "ChatKimi": of_model(chat_kimi(server.url, ca_file)),
            "ChatNVIDIA": of_model(chat_nvidia(server.url, ca_file)),
        }
        found = calls_in_flight(runner, server, calls, 100, plan)
        return {"cpu_vs_chatnvidia_tls_100": found["ChatKimi"] / found["ChatNVIDIA"]}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, about 20 s")
    plan = QUICK if parser.parse_args().quick else FULL
    warnings.simplefilter("ignore")
    with asyncio.Runner() as runner:
        figures = measure_plain(runner, plan) | measure_tls(runner, plan)
    figures["import_vs_chatnvidia"] = import_ratio(plan)
    order = [
        "cpu_vs_aiohttp_300",
        "cpu_vs_chatnvidia_300",
        "cpu_vs_chatnvidia_tls_100",
        "connections_over_in_flight",
        "chunk_vs_chatnvidia",
        "chunk_vs_chatopenai",
        "init_ms",
        "import_vs_chatnvidia",
    ]
    print()
    print_result({name: figures[name] for name in order})


if __name__ == "__main__":
    main()
