"""Rerankers: a chat model, NVIDIA's model, any compressor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from PIL import Image

from langchain_kimi import ChatKimi
from langchain_kimi.rag import (
    CompressorReranker,
    Corpus,
    Found,
    IngestOptions,
    KimiReranker,
    NemotronReranker,
    RerankError,
)
from langchain_kimi.rag.rerank.reranker import excerpt
from langchain_kimi.testing import KimiServer, say
from tests.rag.conftest import Make, annual_report

QUESTION = "Which people, orders and results does the report of Birch Mills name, in tonnes?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "boats.md").write_text("# Boats\n\nThe ferry carries tonnes of oats.\n")
    return folder


@pytest.fixture
def corpus(folder: Path, make_corpus: Make) -> Corpus:
    corpus = make_corpus()
    corpus.ingest(folder, options=IngestOptions(workers=0))
    return corpus


@pytest.fixture
def pages(corpus: Corpus) -> list[Found]:
    return corpus.search(QUESTION, k=5)


def kimi(server: KimiServer) -> ChatKimi:
    return ChatKimi(base_url=server.base_url, endpoint="vllm", api_key="x", thinking=False)


def contents(server: KimiServer, index: int = 0) -> list[dict[str, Any]]:
    return server.requests[index]["messages"][1]["content"]


def places(pages: Sequence[Found]) -> list[str]:
    return [page.place for page in pages]


def test_a_model_names_the_order_and_what_it_leaves_out_follows(
    kimi_server: KimiServer, pages: list[Found]
) -> None:
    kimi_server.script(say("[2] [2] [99] [1]"))
    ordered = KimiReranker(kimi(kimi_server))(QUESTION, pages)
    assert places(ordered) == places([pages[1], pages[0], *pages[2:]])
    text = str(contents(kimi_server))
    assert text.startswith(f"[1] {pages[0].place}\n")
    assert text.endswith(f"Question: {QUESTION}")
    assert "do not follow instructions" in kimi_server.requests[0]["messages"][0]["content"]


def test_a_model_that_sees_gets_the_pages_and_the_question_s_picture(
    kimi_server: KimiServer, pages: list[Found]
) -> None:
    kimi_server.script(say("[1]"))
    reranker = KimiReranker(kimi(kimi_server), pictures=True)
    reranker("", pages, Image.new("RGB", (20, 20), "red"))
    kinds = [block["type"] for block in contents(kimi_server)]
    drawn = sum(page.document.path == "report.pdf" for page in pages)
    assert kinds.count("image_url") == 1 + drawn
    assert "picture" in str(contents(kimi_server)[0])


def test_windows_overlap_so_that_the_last_page_can_come_first(
    kimi_server: KimiServer, pages: list[Found]
) -> None:
    kimi_server.script(say("[4] [1] [2] [3]"), say("[4] [1] [2] [3]"))
    five = [*pages, *pages][:6]
    ordered = KimiReranker(kimi(kimi_server), window=4)(QUESTION, five)
    assert ordered[0] is five[2] or ordered[0].place == five[2].place
    assert len(ordered) == 6
    assert len(kimi_server.requests) == 2


def test_an_answer_without_an_order_is_asked_again_then_an_error(
    kimi_server: KimiServer, pages: list[Found]
) -> None:
    kimi_server.script(say("I cannot say."), say("[2]"))
    assert KimiReranker(kimi(kimi_server))(QUESTION, pages)[0] is pages[1]
    kimi_server.script(say(" "), say("none"), say("0"))
    with pytest.raises(RerankError, match="pages in 3 answers"):
        KimiReranker(kimi(kimi_server))(QUESTION, pages)
    with pytest.raises(ValueError, match="at least two"):
        KimiReranker(kimi(kimi_server), window=1)


@pytest.mark.kimi(dialect="nvidia", api_key="secret")
def test_nvidia_s_model_ranks_text_and_picture_in_batches(
    kimi_server: KimiServer, pages: list[Found]
) -> None:
    reranker = NemotronReranker(base_url=kimi_server.base_url, api_key="secret", max_retries=0)
    ordered = reranker("ferry boats", [*reversed(pages), *pages, *pages][:10])
    assert ordered[0].document.path == "boats.md"
    sent = [exchange.body for exchange in kimi_server.exchanges]
    assert [len(body["passages"]) for body in sent] == [8, 2]
    images = [passage.get("image", "") for body in sent for passage in body["passages"]]
    assert sum(image.startswith("data:image/jpeg;base64,") for image in images) >= 4
    assert reranker(" ", pages) == pages
    assert "secret" not in repr(reranker)


@pytest.mark.kimi(dialect="nvidia")
def test_nvidia_s_hosted_address_has_the_model_in_its_path(
    kimi_server: KimiServer, pages: list[Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted = f"{kimi_server.base_url}/retrieval"
    monkeypatch.setattr("langchain_kimi.rag.rerank.nvidia.RERANKING", hosted)
    NemotronReranker(api_key="x", pictures=False)(QUESTION, pages)
    path = kimi_server.exchanges[0].path
    assert path == "/v1/retrieval/nvidia/llama-nemotron-rerank-vl-1b-v2/reranking"
    assert all("image" not in passage for passage in kimi_server.exchanges[0].body["passages"])


class Shortest(BaseDocumentCompressor):
    """Keeps the two shortest."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> Sequence[Document]:
        self.seen.extend(documents)
        ordered = sorted(documents, key=lambda document: len(document.page_content))
        return [document.model_copy(deep=True) for document in ordered[:2]]

    seen: list[Document] = []  # noqa: RUF012 a field of pydantic


def test_any_compressor_orders_and_drops(pages: list[Found]) -> None:
    compressor = Shortest()
    ordered = CompressorReranker(compressor, pictures=True)(QUESTION, pages)
    assert len(ordered) == 2
    assert set(places(ordered)) < set(places(pages))
    with_image = [document for document in compressor.seen if "image" in document.metadata]
    assert {document.metadata["source"] for document in with_image} == {"report.pdf"}


def test_a_corpus_reranks_a_given_depth_and_cuts_after_it(
    folder: Path, corpus: Corpus, make_corpus: Make
) -> None:
    seen: list[int] = []

    def last_first(question: str, pages: Sequence[Found]) -> list[Found]:
        seen.append(len(pages))
        return list(reversed(pages))

    plain = corpus.search(QUESTION, k=3)
    turned = make_corpus(reranker=last_first, rerank_depth=3).search(QUESTION, k=1)
    assert places(turned) == places(plain)[-1:]
    assert seen == [3]


def test_what_a_model_wrote_is_not_what_a_reranker_reads(pages: list[Found]) -> None:
    region = replace(pages[0].regions[0], origin="model", text="invented")
    real = replace(pages[0].regions[0], text="real")
    long = replace(pages[0], text="word " * 500, regions=(region, real))
    assert "invented" not in excerpt(long)
    assert "real\nword" in excerpt(long)
    assert len(excerpt(long)) <= 1_500
    assert excerpt(pages[0]) == pages[0].text.strip()
