"""`langgraph dev` with the served graphs of documents and pictures: booted for real, offline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from langgraph_sdk import get_client

from langchain_kimi.rag import Corpus
from langchain_kimi.testing import KimiServer, say, think
from tests.langgraph_dev import langgraph_dev
from tests.rag_answer.conftest import number_of, plan
from tests.visual_code.test_visual_code import GOOD, POOR, asked, fenced, in_browser

ROOT = Path(__file__).parents[2]
QUESTION = "How did sales of oats develop?"

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def url(library: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "graphs").mkdir()
    names = ("multimodal_rag", "visual_to_code")
    for name in names:
        shutil.copy(ROOT / "graphs" / f"{name}.py", folder / "graphs")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copytree(library.folder, folder / "index")
    configuration = json.loads((ROOT / "langgraph.json").read_text())
    configuration["graphs"] = {name: configuration["graphs"][name] for name in names}
    (folder / "langgraph.json").write_text(json.dumps(configuration))
    with langgraph_dev(folder) as address:
        yield address


async def test_it_answers_and_streams_on_the_server(url: str) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 3")
        quoted = f'Oats rose to 81 tonnes [1].\n\nEvidence:\n[1] S{source} "Oats 77 81"'
        return [think("Page 3."), say(quoted)]

    with KimiServer("vllm", api_key="not-needed") as kimi:
        kimi.respond_with(lambda b: draft(b) if "Sources:" in str(b) else plan(QUESTION))
        asked = {
            "input": {"messages": [{"type": "human", "content": QUESTION}]},
            "context": {"base_url": kimi.base_url, "corpus": "index", "evidence_tokens": 20_000},
        }
        async with get_client(url=url) as client:
            (assistant,) = await client.assistants.search(graph_id="multimodal_rag")
            assert assistant["description"].startswith("Answers from documents")
            schemas = await client.assistants.get_schemas(assistant["assistant_id"])
            assert "namespace" in schemas["context_schema"]["properties"]
            thread = await client.threads.create()
            modes = ["custom", "messages-tuple", "values"]
            parts = [
                part
                async for part in client.runs.stream(
                    thread["thread_id"], "multimodal_rag", stream_mode=modes, **asked
                )
            ]
            state = await client.threads.get_state(thread["thread_id"])
    assert not [part.data for part in parts if part.event == "error"]
    events = [part.data["event"] for part in parts if part.event == "custom"]
    assert events == ["understood", "retrieved", "packed", "checked", "answered"]
    told = "".join(str(part.data) for part in parts if part.event == "messages")
    assert "Page 3." in told
    last = [part.data for part in parts if part.event == "values"][-1]
    assert last["answer"]["text"] == "Oats rose to 81 tonnes [1]."
    assert last["answer"]["citations"][0]["page"] == 3
    kept = state["values"]["messages"][-1]
    assert kept["content"] == "Oats rose to 81 tonnes [1]."
    assert kept["additional_kwargs"]["answer"]["status"] == "answered"
    assert "base64" not in json.dumps(state)


@in_browser
async def test_a_mock_up_becomes_a_page_on_the_server(url: str) -> None:
    with KimiServer("vllm", api_key="not-needed") as kimi:
        kimi.script(fenced(POOR), fenced(GOOD))
        async with get_client(url=url) as client:
            (assistant,) = await client.assistants.search(graph_id="visual_to_code")
            schemas = await client.assistants.get_schemas(assistant["assistant_id"])
            thread = await client.threads.create()
            context = {"base_url": kimi.base_url, "rounds": 1}
            first = await client.runs.wait(
                thread["thread_id"], "visual_to_code", input=asked(), context=context
            )
            context["rounds"] = 0
            refused = await client.runs.wait(
                None, "visual_to_code", input=asked(), context=context, raise_error=False
            )
            state = await client.threads.get_state(thread["thread_id"])
    assert {"rounds", "alike"} <= set(schemas["context_schema"]["properties"])
    assert POOR in first["messages"][-1]["content"]
    assert "rounds=0" in str(refused)
    assert len(kimi.requests) == 1
    (attempt,) = state["values"]["attempts"]
    assert attempt["html"] == POOR
    assert attempt["screenshot"]
