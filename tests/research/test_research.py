"""`langchain-kimi research`: documents in, a cited report out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from urllib.request import url2pathname

import pytest
from typer.testing import CliRunner

from langchain_kimi import ChatKimi
from langchain_kimi.cli import app
from langchain_kimi.cli.prices import price_of
from langchain_kimi.rag import Corpus
from langchain_kimi.research import Findings, create_research_agent, merge
from langchain_kimi.research.report import cost
from langchain_kimi.research.sample import QUESTION, write_sample
from langchain_kimi.swarm import Price
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

    for name in ("KIMI_PRICE_INPUT", "KIMI_PRICE_OUTPUT", "KIMI_PRICE_CACHED_INPUT"):
        monkeypatch.delenv(name, raising=False)

    code, output = research(documents, tmp_path, "--again", "--price", "2,10")

    assert code == 0, output
    assert "81 tonnes of oats" in output
    assert "18,400 euros" in output
    report = Path(url2pathname(re.search(r"^report: file://(\S+)", output, re.MULTILINE)[1]))
    page = report.read_text("utf-8")
    told = re.search(r"([\d,]+) tokens in, ([\d,]+) out", output)
    sent, got = (int(number.replace(",", "")) for number in told.groups())
    assert f"cost: {(2 * sent + 10 * got) / 1e6:.4f} at 2 for a million tokens in, 10 out" in output
    assert f"<td>{(2 * sent + 10 * got) / 1e6:.4f} at 2 for" in page
    assert "by a stand-in that is no model" in page
    assert "<svg" in page
    linked_sources_are_there(report, page)

    code, output = research(documents, tmp_path)
    assert code == 0
    assert "cost: not known" in output
    assert "was done before" in output
    assert "unchanged" in output

    report.unlink()
    code, output = research(documents, tmp_path, "--again")
    assert code == 0
    assert "was done before" not in output
    assert report.is_file()


def linked_sources_are_there(report: Path, page: str) -> None:
    """Each mark leads to a source, each source to a document; a film has its frame and time."""
    figures = re.findall(r'<figure id="(.*?)">(.*?)</figure>', page, re.DOTALL)
    assert {anchor for anchor, _ in figures} == set(re.findall(r'<a href="#(.*?)"', page))
    for _, figure in figures:
        target, _, place = re.search(r'<a href="(.*?)"', figure)[1].partition("#")
        assert (report.parent / unquote(target)).is_file()
        assert re.fullmatch(r"page=\d+|t=[\d.]+,[\d.]+", place)
    kinds = {Path(target).suffix for target in re.findall(r'<a href="([^#"]+)#', page)}
    assert kinds == {".pdf", ".png", ".jpg", ".md", ".mp4"}
    film = next(figure for _, figure in figures if "tour.mp4#t=8,12" in figure)
    assert '<img class="page"' in film
    assert "frame at 00:10" in film
    assert re.search(r">\[\d · 00:08\]</a>", page)


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--price", "2"], {}, "'2' is not INPUT,OUTPUT"),
        (["--price", "2,cheap"], {}, "'2,cheap' is not INPUT,OUTPUT"),
        (["--price=-1,2"], {}, "must be a number >= 0"),
        ([], {"KIMI_PRICE_INPUT": "2"}, "only KIMI_PRICE_INPUT is set"),
        ([], {"KIMI_PRICE_INPUT": "2", "KIMI_PRICE_OUTPUT": "x"}, "'2,x' is not INPUT,OUTPUT"),
    ],
)
def test_a_wrong_price_is_refused(
    arguments: list[str],
    environment: dict[str, str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "documents").mkdir()

    code, output = research(tmp_path / "documents", tmp_path, *arguments)

    assert code == 1
    assert said in output


def test_prices_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert price_of("1,2,0.5") == Price(input=1, output=2, cached_input=0.5)
    monkeypatch.setenv("KIMI_PRICE_INPUT", "0.6")
    monkeypatch.setenv("KIMI_PRICE_OUTPUT", "2.5")
    assert price_of(None) == Price(input=0.6, output=2.5)
    monkeypatch.setenv("KIMI_PRICE_CACHED_INPUT", "0.1")
    assert price_of(None) == Price(input=0.6, output=2.5, cached_input=0.1)
    usage = {"input_tokens": 1_000_000, "cached_tokens": 500_000, "output_tokens": 2_000_000}
    assert cost(usage, price_of(None)).startswith("5.3500 at 0.6 for")


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
