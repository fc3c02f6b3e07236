"""A process to be killed: a swarm whose every call leaves a line in a file.

    echo "FOLDER<tab>JOURNAL" | python -m tests.swarm.victim

For each line a process begins the task, or resumes it when the folder holds a checkpoint, and
writes the result.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from langchain_kimi.swarm import IdempotencyKey, SubAgent, create_background_agent, is_unfinished

from .fakes import FakeModel, calls, is_orchestrator, prompt_of, say, steps_of

AGENTS, STEPS = 12, 4
GRAPH = "graph0"
"""One more sub-agent, a compiled graph of as many steps as the others' calls."""
ASKING = ("agent0", 1)
"""The sub-agent and the step for which a person is asked."""
APPROVED = Command(resume={"decisions": [{"type": "approve"}]})


class Trace:
    """Lines that survive a kill: each is one write to the kernel."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "trace", os.O_APPEND | os.O_CREAT | os.O_WRONLY)

    def line(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


async def main(folder: Path, journal: str) -> None:
    """Run the task to its end, however often it was begun."""
    trace = Trace(folder)
    trace.line("start", os.getpid())

    @tool
    async def charge(agent: str, step: int, key: Annotated[str, IdempotencyKey()]) -> str:
        """Charge once for each key."""
        trace.line("tool", agent, step, key)
        await asyncio.sleep(0.005)
        return f"charged {step}"

    @tool
    async def pay(agent: str, step: int, key: Annotated[str, IdempotencyKey()]) -> str:
        """Charge, once a person has approved."""
        trace.line("tool", agent, step, key)
        return f"charged {step}"

    def rule(messages):
        if is_orchestrator(messages):
            if messages[-1].type == "human":
                items = [f"agent{n}" for n in range(AGENTS)]
                args = {"description": "d", "prompt_template": "{{item}}", "items": items}
                graph = {"agent": "graph", "prompt": GRAPH}
                return calls(("agent_swarm", args), ("assign_task", graph))
            told = [m.text for m in messages if m.type == "tool"]
            return say(f"final: {sum(text.count(' done in ') for text in told)}")
        name, step = prompt_of(messages), steps_of(messages)
        trace.line("model", name, step)
        if step < STEPS and name != GRAPH:
            chosen = "pay" if (name, step) == ASKING else "charge"
            return calls((chosen, {"agent": name, "step": step}))
        told = "/".join(m.text for m in messages if m.type == "tool")
        return say(f"{name} has {told}")

    model = FakeModel(rule=rule, delay=0.01)
    config = {"configurable": {"thread_id": "victim"}}
    async with AsyncSqliteSaver.from_conn_string(str(folder / "graph.sqlite")) as saver:
        agent = create_background_agent(
            model,
            [charge, pay],
            journal=journal,
            checkpointer=saver,
            budget={"concurrency": 8},
            subagents=[SubAgent(name="graph", description="A graph.", runnable=chain(model))],
            interrupt_on={"pay": True},
        )
        found = await to_the_end(agent, config, trace)
    told = next(m.text for m in found["messages"] if m.type == "tool")
    result = {"result": found["result"], "told": told, "usage": found["usage"]["steps"]}
    (folder / "result.json").write_text(json.dumps(result))


def chain(model):
    """A graph of model calls, one after the other."""

    async def node(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    for n in range(STEPS):
        builder.add_node(f"node{n}", node)
        builder.add_edge(f"node{n - 1}" if n else START, f"node{n}")
    return builder.compile()


async def to_the_end(agent, config, trace: Trace) -> dict:
    """Begin or go on, and answer as a person would, until there is a result."""
    known = await agent.aget_state(config)
    begin = None if is_unfinished(known) else {"messages": [HumanMessage("go")]}
    while "result" not in known.values:
        if known.interrupts:
            trace.line("asked")
            await asyncio.sleep(0.05)
            trace.line("decided")
            begin = APPROVED
        async for event in agent.astream(begin, config, stream_mode="custom"):
            if event["event"] == "ended" and event["agent"]:
                trace.line("ended", event["label"])
        known = await agent.aget_state(config)
    return known.values


def serve() -> None:
    """Fork a process for each line of stdin, so that the imports are paid for once."""
    for line in sys.stdin:
        folder, journal = line.rstrip("\n").split("\t")
        child = os.fork()
        if child == 0:
            log = os.open(Path(folder) / "log", os.O_APPEND | os.O_CREAT | os.O_WRONLY)
            os.dup2(log, 2)
            code = 1
            try:
                asyncio.run(main(Path(folder), journal))
                code = 0
            finally:
                traceback.print_exc()
                os._exit(code)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    serve()
