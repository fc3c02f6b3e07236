"""`langchain-kimi research`: documents in, a cited report out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langchain_kimi import ChatKimi
from langchain_kimi.cli import app
from langchain_kimi.rag import Corpus
from langchain_kimi.research import Findings, create_research_agent, merge
from langchain_kimi.research.sample import QUESTION, write_sample
from langchain_kimi.testing import KimiServer, Part, call, say


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("sample") / "documents")


@pytest.fixture(scope="module")
def corpus(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    corpus = Corpus(tmp_path_factory.mktemp("corpus"), ocr="none")
    corpus.ingest(documents)
    yield corpus
    corpus.close()


def research(documents: Path, folder: Path, *more: str) -> tuple[int, str]:
    command = ["research", str(documents), QUESTION, "--folder", str(folder), *more]
    done = CliRunner().invoke(app, command)
    return done.exit_code, done.output


def test_a_folder_is_investigated(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "KIMI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    code, output = research(documents, tmp_path, "--again")

    assert code == 0, output
    assert "81 tonnes of oats" in output
    assert "18,400 euros" in output
    report = Path(re.search(r"^report: (\S+)", output, re.MULTILINE)[1])
    page = report.read_text("utf-8")
    assert page.count("<figure") == page.count('<img class="page"') + page.count(
        "energy-notes.md, page"
    )
    assert "by a stand-in that is no model" in page
    assert "<svg" in page
    assert re.search(r"tour\.mp4, 00:08.00:12", page)

    code, output = research(documents, tmp_path)
    assert code == 0
    assert "was done before" in output
    assert "unchanged" in output

    report.unlink()
    code, output = research(documents, tmp_path, "--again")
    assert code == 0
    assert "was done before" not in output
    assert report.is_file()


def test_a_folder_without_documents_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    code, output = research(tmp_path / "empty", tmp_path / "run")

    assert code == 1
    assert "could be read" in output


async def test_a_model_leads_and_a_false_source_is_marked(corpus: Corpus, tmp_path: Path) -> None:
    items = ["How many tonnes of oats?", "How many tonnes of rye?"]
    grain = 'Sold [1].\n\nEvidence:\n[1] S{} "{}"'

    header = r"S(\d+)(?:(?!S\d).)*?annual-report-2025\.pdf, page 1"

    def reply(request: dict[str, Any]) -> Part:
        if not request.get("tools"):
            asked = str(request["messages"][-1]["content"])
            number = re.search(header, str(request))[1]
            quote = "sold 81 tonnes of oats" if items[0] in asked else "52 tonnes to 47 tonnes"
            return say(grain.format(number, quote))
        if request["messages"][-1]["role"] == "tool":
            return say("Oats [annual-report-2025.pdf#page=1], hay [hay.pdf#page=1].")
        fan_out = {"description": "grain", "items": items, "subagent_type": "researcher"}
        return call("agent_swarm", **fan_out)

    with KimiServer(dialect="vllm") as server:
        server.respond_with(reply)
        findings = Findings(tmp_path / "findings")
        llm = ChatKimi(base_url=server.base_url, endpoint="vllm")
        agent = create_research_agent(
            corpus, llm, findings=findings, journal=tmp_path / "journal.sqlite"
        )

        state = await agent.ainvoke({"messages": [("user", "Which grain was sold?")]})
        await llm.aclose()

    assert state["status"] == "done"
    answer = merge("Which grain was sold?", state["result"], findings.all())
    assert {one.question for one in findings.all()} == set(items)
    assert {one.quote for one in answer.citations} == {
        "sold 81 tonnes of oats",
        "52 tonnes to 47 tonnes",
    }
    assert re.fullmatch(r"Oats \[1\]\[2\], hay \[unverified\]\.", answer.text)
    assert not answer.stand_in
