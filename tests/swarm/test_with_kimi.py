"""The swarm on ChatKimi, the served graph, and the work command, on the scripted endpoint."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from rich.console import Console

from langchain_kimi import ChatKimi
from langchain_kimi.cli.work import Work, work
from langchain_kimi.swarm import Budget, create_background_agent
from langchain_kimi.testing import call, say, think

ROOT = Path(__file__).parents[2]
SWARM = {"description": "d", "prompt_template": "Study {{item}}", "items": ["a", "b", "c"]}


@tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"sunny in {city}"


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("dialect", ["nvidia", "vllm", "sglang", "moonshot"])
async def test_one_call_fans_out_on_every_endpoint(
    tmp_path, kimi_server_factory, dialect, thinking
):
    server = kimi_server_factory(dialect)
    thought = [think("I should fan out.")] if thinking else []
    replies = [part for _ in range(3) for part in [*thought, say("It is a letter.")]]
    server.script(*thought, call("agent_swarm", **SWARM), *replies, *thought, say("All studied."))
    llm = ChatKimi(base_url=server.base_url, api_key="test", endpoint=dialect, thinking=thinking)
    agent = create_background_agent(llm, [weather], journal=tmp_path / "j.sqlite")
    found = await agent.ainvoke({"messages": [HumanMessage("Study the letters")]})
    assert found["result"] == "All studied."
    assert found["status"] == "done"
    assert len(server.requests) == 5
    assert found["usage"]["subagents"] == 3
    await llm.aclose()


async def test_the_served_graph_works_with_a_context(tmp_path, kimi_server, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location(
        "served_background", ROOT / "graphs/background.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    kimi_server.script(call("agent_swarm", **SWARM), say("x"), say("y"), say("z"), say("End."))
    context = module.Context(base_url=kimi_server.base_url, budget={"concurrency": 2})
    found = await module.graph.ainvoke({"messages": [HumanMessage("go")]}, context=context)
    assert found["result"] == "End."
    schema = json.dumps(module.graph.get_context_jsonschema())
    assert "Limits over the whole tree" in schema
    del sys.modules[spec.name]


def test_the_work_command_answers_and_writes_its_report(tmp_path, kimi_server):
    kimi_server.script(call("agent_swarm", **SWARM), say("x"), say("y"), say("z"), say("The end."))
    llm = ChatKimi(base_url=kimi_server.base_url, api_key="test")
    console = Console(record=True, width=200)
    job = Work(task="Study the letters", folder=tmp_path, budget=Budget())
    assert work(job, llm, console, lambda _: True, [weather]) == 0
    text = console.export_text()
    assert "The end." in text
    assert "3 sub-agents, 5 steps (3 one after the other)" in text
    folder = tmp_path / job.thread
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.md", "timeline.svg"]
    assert "<svg" in (folder / "report.html").read_text()
    llm.close()
