"""The command `ask`, the served graph, and the stand-in behind both."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import sys
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from langchain_kimi.cli.ask import show_answer
from langchain_kimi.cli.rag import register
from langchain_kimi.rag.answer import Answer, Citation, create_multimodal_rag
from langchain_kimi.testing import say
from tests.rag_answer.conftest import asked, number_of, plan

ROOT = Path(__file__).parents[2]
OATS = "Sales of oats in tonnes"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "KIMI_BASE_URL", "NVIDIA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    app = typer.Typer()
    register(app)
    return app


def test_without_a_key_the_stand_in_quotes(app, library, tmp_path) -> None:
    report = tmp_path / "out.html"
    arguments = ["ask", OATS, "--corpus", str(library.folder), "--report", str(report)]
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "300"})
    assert done.exit_code == 0, done.output
    assert "Stand-in (no model)" in done.stdout
    assert "report.pdf#page=3" in done.stdout
    assert "answered" in done.stdout
    assert "no model" in done.stderr
    assert "data:image/jpeg" in report.read_text()


def test_a_terminal_links_to_the_page_of_the_file(library, files) -> None:
    cited = Citation(number=1, id="x", file="report.pdf", sha256="", page=3, quote="Oats\x1b[2J")
    talk = Citation(number=2, id="x", file="talk.mp4", sha256="", page=2, start=2.4, end=3.9)
    answer = Answer(question="x", text="81 [1]", status="answered", citations=(cited, talk))
    written = io.StringIO()
    show_answer(answer, library, Console(file=written, force_terminal=True, width=400))
    told = written.getvalue()
    for link in ("report.pdf#page=3", "talk.mp4#t=2.4,3.9"):
        assert f"{files.as_uri()}/{link}\x1b\\" in told
        assert told.count(link) == 2
    assert "\x1b[2J" not in told


def test_what_is_not_there_is_said(app, library) -> None:
    arguments = ["ask", "Who won the chess olympiad in Baku?", "--corpus", str(library.folder)]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert answer["status"] == "not_answered"
    assert answer["stand_in"]
    assert "no model" in answer["text"]


def test_no_index_says_what_to_do(app, tmp_path) -> None:
    done = CliRunner().invoke(app, ["ask", "x", "--corpus", str(tmp_path)])
    assert done.exit_code == 1
    assert "run ingest first" in done.stderr


def test_the_stand_in_answers_follow_ups_and_two_documents(library, monkeypatch) -> None:
    for name in ("NVIDIA_API_KEY", "MOONSHOT_API_KEY", "KIMI_BASE_URL", "NVIDIA_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    graph = create_multimodal_rag(library)
    first = graph.invoke(asked(f"{OATS}; the price of oats in 2024"))
    assert {one.file for one in first["answer"].citations} >= {"report.pdf", "forecast.pdf"}
    assert first["answer"].stand_in
    assert len(first["answer"].searched.queries) == 3
    more = [*first["messages"], {"role": "user", "content": "And what is its price?"}]
    second = graph.invoke({"messages": more})["answer"]
    assert "oats" in second.question
    assert second.citations
    assert not second.dropped


@pytest.fixture
def served(library, tmp_path, monkeypatch):
    """Load the served graph as the server does, from a folder of its own."""
    (tmp_path / "graphs").mkdir()
    shutil.copy(ROOT / "graphs" / "multimodal_rag.py", tmp_path / "graphs")
    shutil.copytree(library.folder, tmp_path / "index")
    path = tmp_path / "graphs" / "multimodal_rag.py"
    spec = importlib.util.spec_from_file_location("served_multimodal_rag", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


async def test_the_served_graph_takes_its_context(served, kimi_server) -> None:
    def draft(body):
        source = number_of(body, "report.pdf, page 3")
        return say(f'81 tonnes [1].\n\nEvidence:\n[1] S{source} "Oats 77 81"')

    kimi_server.respond_with(lambda b: plan(OATS) if len(b["messages"]) < 3 else draft(b))
    context = served.Context(corpus="index", base_url=kimi_server.base_url, evidence_tokens=9_000)
    answer = (await served.graph.ainvoke(asked(OATS), context=context))["answer"]
    assert answer.status == "answered"
    assert answer.searched.evidence_tokens <= 9_000


async def test_the_served_graph_keeps_tenants_and_folders_apart(served, kimi_server) -> None:
    kimi_server.respond_with(
        lambda b: plan("secret price") if len(b["messages"]) < 3 else say("NOT IN THE DOCUMENTS: x")
    )
    url = kimi_server.base_url
    for namespace, sees in (("other", True), ("default", False)):
        kimi_server.clear()
        context = served.Context(corpus="index", namespace=namespace, base_url=url)
        await served.graph.ainvoke(asked("secret price"), context=context)
        assert ("111 euros" in json.dumps(kimi_server.requests)) is sees
    for folder in ("..", "/etc", "nowhere"):
        with pytest.raises(ValueError, match="holds no index below"):
            await served.graph.ainvoke(
                asked("x"), context=served.Context(corpus=folder, base_url=url)
            )


async def test_the_served_graph_refuses_more_than_the_window(served, kimi_server) -> None:
    kimi_server.respond_with(lambda _: plan(OATS))
    for tokens in (240_001, 0):
        context = served.Context(
            corpus="index", base_url=kimi_server.base_url, evidence_tokens=tokens
        )
        with pytest.raises(ValueError, match=f"{tokens}: "):
            await served.graph.ainvoke(asked(OATS), context=context)


@pytest.mark.parametrize(
    ("field", "value"),
    [("evidence_tokens", "9000"), ("visual_tokens", 2.5), ("namespace", 5), ("corpus", None)],
)
async def test_the_served_graph_names_a_field_of_a_wrong_kind(served, field, value) -> None:
    """As the server does: a context of plain data."""
    with pytest.raises(ValueError, match=f"{field}: Input should be"):
        await served.graph.ainvoke(asked(OATS), context={field: value})


def test_the_form_describes_each_field(served) -> None:
    schema = served.graph.get_context_jsonschema()
    assert {"corpus", "namespace", "evidence_tokens", "model"} <= set(schema["properties"])
    assert set(served.graph.get_input_jsonschema()["properties"]) == {"messages"}
    graphs = json.loads((ROOT / "langgraph.json").read_text())["graphs"]
    assert graphs["multimodal_rag"]["path"] == "./graphs/multimodal_rag.py:graph"
