"""Captions by a model: found, kept apart, cached, refused when empty."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from pydantic import Field

from langchain_kimi.rag import Corpus, Enricher, IngestOptions
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
