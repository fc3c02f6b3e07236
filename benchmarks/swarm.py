"""What the swarm costs, against a plain asyncio loop, create_agent and deepagents, in one run.

    python benchmarks/swarm.py            the sizes of the tables in docs/background.md
    python benchmarks/swarm.py --quick    smaller sizes, under a minute; the JSON says so

A fake model (20 ms a call, 100 characters) and a fake tool (5 ms, 400 characters), the same for
all. Every measurement is a process of its own. CPU seconds are what to trust; each ratio is the
median over rounds in which the contestants take turns, so that a noisy neighbour meets all.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from pydantic import Field

ANSWER, RESULT = "a" * 100, "r" * 400
MILLION = 1_000_000


class FakeModel(BaseChatModel):
    """Calls the tool `steps` times, then answers; as an orchestrator it fans out once."""

    steps: int = 13
    agents: int = 0
    fan_out: str = ""
    delay: float = 0.02
    calls: int = 0
    in_flight: int = 0
    peak: int = 0
    last_call: float = 0.0
    marks: dict[int, float] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind as real models do."""
        return self.bind(tools=len(tools))

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> ChatResult:
        self.calls += 1
        self.last_call = time.monotonic()
        number = _step(messages)
        if number in self.marks:
            self.marks[number] = time.process_time()
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.in_flight -= 1
        return ChatResult(generations=[ChatGeneration(message=self._reply(messages, number))])

    def _reply(self, messages: list[BaseMessage], number: int) -> AIMessage:
        calls: list[Any] = []
        text = ANSWER
        if self.fan_out and _leads(messages):
            if messages[-1].type == "human":
                calls = _fan_out(self.fan_out, self.agents)
        elif number < self.steps:
            calls = [{"name": "look_up", "args": {"query": f"q{number}"}, "id": f"c{number}"}]
        tokens = 150 * (number + 1)
        usage = {"input_tokens": tokens, "output_tokens": 30, "total_tokens": tokens + 30}
        return AIMessage(
            text,
            tool_calls=calls,
            usage_metadata=usage,
            response_metadata={"model_name": "fake", "finish_reason": "stop"},
        )


def _step(messages: list[BaseMessage]) -> int:
    """Return how many tool results came: the last one says its number."""
    last = messages[-1]
    if isinstance(last, ToolMessage) and last.name == "look_up":
        return int(last.tool_call_id[1:]) + 1
    return 0


def _leads(messages: list[BaseMessage]) -> bool:
    return not any("Study" in str(m.content) for m in messages[:3] if m.type == "human")


def _fan_out(how: str, agents: int) -> list[Any]:
    if how == "agent_swarm":
        items = [f"item {n}" for n in range(agents)]
        args: dict[str, Any] = {"description": "d", "prompt_template": "Study {{item}}"}
        return [{"name": how, "args": {**args, "items": items}, "id": "f0"}]
    return [
        {
            "name": "task",
            "args": {"description": f"Study item {n}", "subagent_type": "worker"},
            "id": f"f{n}",
        }
        for n in range(agents)
    ]


@tool
async def look_up(query: str) -> str:  # noqa: ARG001 - a fake
    """Look something up."""
    await asyncio.sleep(0.005)
    return RESULT


def _config(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}, "recursion_limit": 100_000}


def _disk(folder: Path) -> float:
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / MILLION


async def floor(model: FakeModel, agents: int, _folder: Path) -> dict[str, Any]:
    """A plain loop over LangChain messages: nothing kept, no features."""
    bound = model.bind_tools([look_up])

    async def one(number: int) -> str:
        messages: list[BaseMessage] = [HumanMessage(f"Study item {number}")]
        while True:
            reply = await bound.ainvoke(messages)
            messages.append(reply)
            if not reply.tool_calls:
                return str(reply.content)
            messages.extend(await asyncio.gather(*(look_up.ainvoke(c) for c in reply.tool_calls)))

    await asyncio.gather(*(one(n) for n in range(agents)))
    return {}


async def swarm(model: FakeModel, agents: int, folder: Path) -> dict[str, Any]:
    """This package: journal and outer checkpoints on SQLite, progress stream read."""
    return await _swarm(model, agents, folder)


async def swarm_whole_context(model: FakeModel, agents: int, folder: Path) -> dict[str, Any]:
    """The same with compaction off."""
    from langchain_kimi.swarm import Compaction

    return await _swarm(model, agents, folder, compaction=Compaction(strategy="none"))


async def _swarm(model: FakeModel, agents: int, folder: Path, **settings: Any) -> dict[str, Any]:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from langchain_kimi.swarm import create_background_agent

    model.fan_out = "agent_swarm"
    budget = {
        "steps": agents * (model.steps + 2) + 10,
        "subagents": agents,
        "concurrency": max(300, min(agents, 300)),
        "subagent_steps": model.steps + 2,
    }
    async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.sqlite")) as saver:
        agent = create_background_agent(
            model, [look_up], journal=folder / "journal.sqlite", checkpointer=saver, **settings
        )
        events = 0
        final: Any = None
        stream: Any = agent.astream(
            {"messages": [HumanMessage("go")], "budget": budget},
            _config("t"),
            stream_mode=["custom", "values"],
            durability="sync",
        )
        async for mode, event in stream:
            events += mode == "custom"
            final = event if mode == "values" else final
    assert final is not None
    assert final["status"] == "done", final["missing"][:3]
    return {"events": events, "usage": final["usage"]}


async def create_agent_gather(model: FakeModel, agents: int, _folder: Path) -> dict[str, Any]:
    """asyncio.gather over create_agent, nothing kept."""
    from langchain.agents import create_agent

    agent = create_agent(model, [look_up])
    await asyncio.gather(
        *(
            agent.ainvoke({"messages": [HumanMessage(f"Study item {n}")]}, _config(f"t{n}"))
            for n in range(agents)
        )
    )
    return {}


async def create_agent_sqlite(model: FakeModel, agents: int, folder: Path) -> dict[str, Any]:
    """asyncio.gather over create_agent on LangGraph's SQLite saver, durability async."""
    from langchain.agents import create_agent
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.sqlite")) as saver:
        agent = create_agent(model, [look_up], checkpointer=saver)
        await asyncio.gather(
            *(
                agent.ainvoke({"messages": [HumanMessage(f"Study item {n}")]}, _config(f"t{n}"))
                for n in range(agents)
            )
        )
    return {}


async def deepagents_sqlite(model: FakeModel, _agents: int, folder: Path) -> dict[str, Any]:
    """The task tool of deepagents on LangGraph's SQLite saver, durability async."""
    from deepagents import SubAgent, create_deep_agent
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    model.fan_out = "task"
    worker: SubAgent = {
        "name": "worker",
        "description": "Studies.",
        "system_prompt": "Study.",
        "tools": [look_up],
    }
    async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.sqlite")) as saver:
        agent = create_deep_agent(
            model=model, tools=[look_up], subagents=[worker], checkpointer=saver
        )
        await agent.ainvoke({"messages": [HumanMessage("go")]}, _config("t"))
    return {}


async def cancel(model: FakeModel, agents: int, folder: Path) -> dict[str, Any]:
    """Start the swarm, cancel it in full flight, and look for calls after that."""
    from langchain_kimi.swarm import create_background_agent, running

    model.fan_out, model.delay = "agent_swarm", 0.2
    agent = create_background_agent(model, [look_up], journal=folder / "journal.sqlite")
    task = asyncio.create_task(
        agent.ainvoke({"messages": [HumanMessage("go")]}, _config("cancelled"))
    )
    while model.in_flight < agents:  # noqa: ASYNC110 - the model has no event for it
        await asyncio.sleep(0.01)
    handle = running("cancelled")
    assert handle is not None
    start = time.monotonic()
    handle.cancel()
    calls = model.calls
    found = await task
    took = time.monotonic() - start
    await asyncio.sleep(0.5)
    assert found["status"] == "cancelled"
    return {"cancel_s": took, "calls_after": model.calls - calls}


CONTESTANTS: dict[str, Callable[[FakeModel, int, Path], Coroutine[Any, Any, dict[str, Any]]]] = {
    one.__name__: one
    for one in (
        floor,
        swarm,
        swarm_whole_context,
        create_agent_gather,
        create_agent_sqlite,
        deepagents_sqlite,
        cancel,
    )
}


def measure(name: str, agents: int, steps: int, delay: float, last: int) -> dict[str, Any]:
    """Measure one contestant in this process."""
    import importlib

    for module in ("langchain.agents", "langgraph.graph", "langchain_kimi.swarm"):
        importlib.import_module(module)
    if name.startswith("deepagents"):
        importlib.import_module("deepagents")
    marks = {steps - last: 0.0, steps: 0.0} if last else {}
    model = FakeModel(steps=steps, agents=agents, delay=delay, marks=marks)
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        cpu, wall = time.process_time(), time.monotonic()
        extra = asyncio.run(CONTESTANTS[name](model, agents, Path(folder)))
        found = {
            "cpu": time.process_time() - cpu,
            "wall": time.monotonic() - wall,
            "disk_mb": _disk(Path(folder)),
            "memory_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
            "peak": model.peak,
            "calls": model.calls,
            **extra,
        }
    if last:
        found["last_cpu"] = model.marks[steps] - model.marks[steps - last]
    return found


def run(name: str, agents: int, steps: int, *, delay: float = 0.02, last: int = 0) -> Any:
    """Measure one contestant in a process of its own."""
    command = [sys.executable, __file__, "--one", name, str(agents), str(steps)]
    command += [str(delay), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{name} with {agents} x {steps} failed:\n{done.stderr[-3000:]}"
        raise RuntimeError(msg)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{name:>22} {agents:>5} x {steps:<5} cpu {found['cpu']:7.2f} s"
        f"  wall {found['wall']:7.2f} s"
        f"  disk {found['disk_mb']:7.1f} MB  memory +{found['memory_mb']:6.1f} MB"
        f"  peak {found['peak']:>4}",
        flush=True,
    )
    return found


def ratio(one: list[Any], other: list[Any], key: str) -> float:
    """Return the median over rounds of one contestant's figure over the other's."""
    return statistics.median(float(a[key]) / float(b[key]) for a, b in zip(one, other, strict=True))


def noise() -> str:
    """Say how much the machine's speed varies: a fixed piece of work, done twenty times."""
    times = []
    for _ in range(20):
        start = time.process_time()
        sum(i * i for i in range(200_000))
        times.append(time.process_time() - start)
    spread = (max(times) - min(times)) / statistics.median(times)
    load = Path("/proc/loadavg")
    loaded = load.read_text().split()[0] if load.exists() else "?"
    return f"a fixed loop varies by {spread:.0%} in CPU time; load average {loaded}"


def main(*, quick: bool) -> dict[str, Any]:
    """Run everything; return the figures."""
    agents, steps, rounds = (30, 13, 2) if quick else (300, 13, 3)
    long, many, beside = (150, 150, 15) if quick else (4000, 4000, 60)
    slow_delay, slow_agents = (0.5, 30) if quick else (2.0, 300)
    print(f"{'quick, smaller sizes' if quick else 'full sizes'}; noise: {noise()}\n")

    pairs = [(run("floor", agents, steps), run("swarm", agents, steps)) for _ in range(rounds)]
    floors, ours = [p[0] for p in pairs], [p[1] for p in pairs]
    print("\nbeside others")
    rivals = ("swarm", "create_agent_gather", "create_agent_sqlite", "deepagents_sqlite")
    others = {name: run(name, beside, steps) for name in rivals}

    print(f"\none agent, {long} steps one after the other")
    floor_long = run("floor", 1, long, delay=0.0, last=100)
    ours_long = run("swarm", 1, long, delay=0.0, last=100)
    whole_long = run("swarm_whole_context", 1, long, delay=0.0, last=100)

    print(f"\n{many} sub-agents of one step")
    turns = [(run("floor", many, 1), run("swarm", many, 1)) for _ in range(rounds)]
    floor_many, ours_many = [t[0] for t in turns], [t[1] for t in turns]

    print(f"\n{slow_agents} sub-agents, calls of {slow_delay} s")
    slow = run("swarm", slow_agents, 5, delay=slow_delay)
    path = slow_delay * (2 + 6) + 5 * 0.005
    print(f"\ncancelling {agents} sub-agents in full flight")
    cancelled = run("cancel", agents, steps)

    cpu = others["swarm"]["cpu"]
    figures = {
        "cpu_vs_floor_300x13": ratio(ours, floors, "cpu"),
        "wall_vs_floor_300x13": ratio(ours, floors, "wall"),
        "disk_mb_300x13": statistics.median(found["disk_mb"] for found in ours),
        "peak_in_flight": max(found["peak"] for found in ours),
        "last_steps_vs_floor_4000": ours_long["last_cpu"] / floor_long["last_cpu"],
        "last_steps_vs_floor_4000_whole_context": whole_long["last_cpu"] / floor_long["last_cpu"],
        "disk_mb_4000": ours_long["disk_mb"],
        "wall_vs_critical_path": slow["wall"] / path,
        "memory_mb_300": statistics.median(found["memory_mb"] for found in ours),
        "cpu_vs_floor_4000x1": ratio(ours_many, floor_many, "cpu"),
        "cpu_vs_deepagents": cpu / others["deepagents_sqlite"]["cpu"],
        "cpu_vs_create_agent": cpu / others["create_agent_gather"]["cpu"],
        "cpu_vs_create_agent_sqlite": cpu / others["create_agent_sqlite"]["cpu"],
        "cancel_s": cancelled["cancel_s"],
        "calls_after_cancel": cancelled["calls_after"],
    }
    return {name: round(value, 3) for name, value in figures.items()} | {
        "quick": quick,
        "sizes": {
            "agents": agents,
            "steps": steps,
            "long": long,
            "many": many,
            "slow": slow_agents,
            "beside_others": beside,
        },
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, under a minute")
    parser.add_argument("--one", nargs=5, metavar="X", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        contestant, n, k, pause, tail = options.one
        print(json.dumps(measure(contestant, int(n), int(k), float(pause), int(tail))))
    else:
        print(json.dumps(main(quick=options.quick)))
