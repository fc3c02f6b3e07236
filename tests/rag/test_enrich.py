"""Captions by a model: found, kept apart, cached, refused when empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from langchain_kimi import ChatKimi
from langchain_kimi.errors import KimiAuthenticationError
from langchain_kimi.rag import Corpus, Enricher, IngestOptions
from langchain_kimi.rag.index.records import Unit
from langchain_kimi.testing import KimiServer, error, say, think, turn
from tests.rag.conftest import Make, annual_report
from tests.rag.test_search import Letters

HERE = IngestOptions(workers=0)


class Painter(BaseChatModel):
    """Answers from a list, the last one again and again, and records what it saw."""

    answers: list[str]
    seen: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "painter"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        self.seen.append(messages[0].content)
        text = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if text == "broken":
            msg = "the endpoint is down"
            raise ConnectionError(msg)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    return folder


@pytest.fixture
def corpus(folder: Path, make_corpus: Make) -> Corpus:
    corpus = make_corpus(embeddings=Letters())
    corpus.ingest(folder, options=HERE)
    return corpus


def test_a_caption_finds_its_page_and_is_marked_as_the_model_s(corpus: Corpus) -> None:
    model = Painter(answers=["A histogram in ultramarine."])
    report = Enricher(corpus, model, workers=1).run()
    assert report.written >= 1
    assert report.failed == ()
    found = corpus.search("ultramarine histogram", k=1)[0]
    assert found.page in {3, 4}
    assert "ultramarine" not in found.text
    region = next(region for region in found.regions if "ultramarine" in region.text)
    assert (region.kind, region.origin) == ("enrichment", "model")
    assert model.seen[0][0]["mime_type"] == "image/png"


def test_a_second_run_asks_nothing_and_changes_nothing(corpus: Corpus, folder: Path) -> None:
    model = Painter(answers=["A histogram."])
    first = Enricher(corpus, model, workers=1).run()
    before, asked = corpus.stats(), len(model.seen)
    again = Enricher(corpus, model, workers=1).run()
    assert (again.written, again.cached, len(model.seen)) == (
        0,
        first.written + first.cached,
        asked,
    )
    assert corpus.stats() == before
    assert corpus.ingest(folder, options=HERE).count("unchanged") == 1


def test_empty_answers_are_asked_again_then_reported(corpus: Corpus) -> None:
    report = Enricher(corpus, Painter(answers=["", " ", "A chart."]), workers=1).run()
    assert report.written >= 1
    assert report.failed == ()


def test_a_model_that_says_nothing_leaves_no_caption(corpus: Corpus) -> None:
    report = Enricher(corpus, Painter(answers=[""]), workers=1).run()
    assert report.written == 0
    assert all("3 empty answers" in line for line in report.failed)
    assert len(report.failed) >= 1


def test_a_failing_model_stops_only_its_figure(corpus: Corpus) -> None:
    report = Enricher(corpus, Painter(answers=["broken", "A chart."]), workers=1).run()
    assert report.failed[0].endswith("ConnectionError: the endpoint is down")
    assert len(report.failed) == 1


def kimi(server: KimiServer, **options: Any) -> ChatKimi:
    known = {"endpoint": "vllm", "api_key": "x", "max_retries": 0}
    return ChatKimi(base_url=server.base_url, **{**known, **options})


def units(corpus: Corpus) -> list[Unit]:
    return corpus.store.units("default", level="chunk")


def test_kimi_describes_without_thinking_and_an_empty_reply_is_asked_again(
    corpus: Corpus, kimi_server: KimiServer
) -> None:
    kimi_server.script(turn(think("I see a chart but say nothing.")), say("A chart of orders."))
    report = Enricher(corpus, kimi(kimi_server, thinking=True), workers=1).run()
    assert (report.written >= 1, report.failed) == (True, ())
    switches = [body["chat_template_kwargs"] for body in kimi_server.requests]
    assert all(switch == {"thinking": False} for switch in switches)
    assert len(kimi_server.requests) == report.written + 1


def test_pages_are_summarised_from_their_picture_or_their_text(
    corpus: Corpus, folder: Path
) -> None:
    (folder / "boats.md").write_text("# Boats\n\nThe ferry carries flour over the river Aller.\n")
    corpus.ingest(folder, options=HERE)
    model = Painter(answers=["About ultramarine trade."])
    report = Enricher(corpus, model, workers=2, tasks=["summary"]).run()
    assert (report.written + report.cached, report.failed) == (5, ())
    kinds = sorted(content[0]["type"] for content in model.seen)
    assert kinds == ["image"] * 4 + ["text"]
    found = corpus.search("ultramarine", k=9)
    assert len(found) == 5
    assert all("ultramarine" not in page.text for page in found)
    with pytest.raises(ValueError, match="use caption, summary"):
        Enricher(corpus, model, tasks=["title"])  # type: ignore[list-item]


def test_captions_stay_when_summaries_come_and_nothing_is_rewritten(
    corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Painter(answers=["A chart."])
    Enricher(corpus, model).run()
    Enricher(corpus, model, tasks=["summary"]).run()
    ids = {unit.id.rsplit(":", 1)[1] for unit in units(corpus) if unit.kind == "enrichment"}
    assert ids == {"caption", "summary"}
    monkeypatch.setattr(corpus.store, "upsert", lambda *_: pytest.fail("written again"))
    Enricher(corpus, model, tasks=["caption", "summary"]).run()


def test_a_wrong_key_ends_the_run_and_what_was_answered_is_kept(
    corpus: Corpus, kimi_server: KimiServer
) -> None:
    kimi_server.script(say("A page."), say("A page."), error(401))
    tasks = ["summary"]
    with pytest.raises(KimiAuthenticationError):
        Enricher(corpus, kimi(kimi_server), workers=1, tasks=tasks).run()  # type: ignore[arg-type]
    asked = len(kimi_server.requests)
    report = Enricher(corpus, kimi(kimi_server), workers=1, tasks=tasks).run()  # type: ignore[arg-type]
    assert report.cached >= 2
    assert report.cached + report.written == 4
    assert len(kimi_server.requests) == asked + report.written


def test_a_document_that_changes_meanwhile_is_not_overwritten(corpus: Corpus, folder: Path) -> None:
    class Slow(Painter):
        def _generate(self, *arguments: Any, **options: Any) -> ChatResult:
            if not self.seen:
                (folder / "report.pdf").unlink()
                (folder / "report.md").write_text("# Other\n\nOther words.\n")
                corpus.ingest(folder, options=HERE)
            return super()._generate(*arguments, **options)

    report = Enricher(corpus, Slow(answers=["A chart."]), workers=1).run()
    assert "report.pdf was changed meanwhile: run again" in report.failed
    assert [document.path for document in corpus.documents()] == ["report.md"]
