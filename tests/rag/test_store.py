"""The contract that every engine keeps."""

from __future__ import annotations

import gc
import pickle
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore

from langchain_kimi.rag import (
    Box,
    DocumentRecord,
    Filter,
    IndexMismatchError,
    SqliteStore,
    Store,
    Unit,
)
from langchain_kimi.rag.index.engine import VectorEngine
from langchain_kimi.rag.index.engine_store import EngineStore
from langchain_kimi.rag.index.lance import LanceEngine
from langchain_kimi.rag.index.langchain import LangChainEngine
from langchain_kimi.rag.index.milvus import MilvusEngine
from langchain_kimi.rag.text import tokens

Open = Callable[[], Store]


class _Shelf:
    """Keeps vector stores by name, as a server of its own would."""

    def __init__(self, make: Callable[[Embeddings], VectorStore]) -> None:
        self._make = make
        self._stores: dict[str, VectorStore] = {}

    def open(self, name: str, embeddings: Embeddings) -> VectorStore:
        store = self._stores.setdefault(name, self._make(embeddings))
        store.embedding = store.embedding_function = embeddings  # type: ignore[attr-defined]
        return store


def _faiss(embeddings: Embeddings) -> VectorStore:
    faiss = pytest.importorskip("faiss")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the package announces its end
        from langchain_community.docstore.in_memory import InMemoryDocstore
        from langchain_community.vectorstores import FAISS
    return FAISS(embeddings, faiss.IndexFlatL2(2), InMemoryDocstore(), {})


def _engine_of(name: str, folder: Path) -> Callable[[], VectorEngine]:
    """Return a function that opens an engine, as each process would."""
    if name == "lancedb":
        pytest.importorskip("lancedb")
        return lambda: LanceEngine(folder / "lance")
    if name == "milvus":
        pytest.importorskip("milvus_lite")
        engine = MilvusEngine(str(folder / "milvus.db"))  # one process may open the file
        return lambda: engine
    shelf = _Shelf(InMemoryVectorStore if name == "memory" else _faiss)
    return lambda: LangChainEngine(shelf.open)


ENGINES = ["lancedb", "milvus", "memory", "faiss"]


@pytest.fixture(params=["sqlite", *ENGINES])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens the engine's index, each time anew."""
    opened: list[Store] = []
    path = tmp_path / "index.sqlite"
    engine = None if request.param == "sqlite" else _engine_of(request.param, tmp_path)

    def open_it() -> Store:
        store = SqliteStore(path) if engine is None else EngineStore(path, engine())
        opened.append(store)
        return store

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Open) -> Store:
    return open_store()


def record(name: str, **values: object) -> DocumentRecord:
    known = {"path": f"{name}.pdf", "sha256": "0", "media_type": "application/pdf"}
    return DocumentRecord(id=name, **{**known, "size": 1, "modified_ns": 1, **values})  # type: ignore[arg-type]


def page(name: str, number: int, text: str, refs: str = "") -> Unit:
    return Unit(
        id=f"{name}:{number}",
        document_id=name,
        level="page",
        kind="page",
        page=number,
        text=text,
        body=" ".join(tokens(text)),
        refs=refs,
        box=Box(1, 2, 3, 4),
        headings=("One", "Two"),
    )


def fill(store: Store, namespace: str = "a") -> None:
    store.upsert(
        namespace,
        record("mills", date="2023-05-01", tags=("food", "north")),
        [
            page("mills", 1, "rye flour from the mill", "page:1 label:7"),
            page("mills", 2, "wheat bread"),
        ],
        [[1.0, 0.0], [0.0, 1.0]],
    )
    store.upsert(
        namespace,
        record("boats", path="sea/boats.md", media_type="text/markdown", date="2024-02-01"),
        [page("boats", 1, "a boat carries flour")],
        [[0.7, 0.7]],
    )


def ids(store: Store, namespace: str = "a", **query: object) -> list[str]:
    hits = store.search(namespace, level="page", **query)  # type: ignore[arg-type]
    return [hit.unit.id for hit in hits]


def test_a_unit_comes_back_as_it_went_in(store: Store) -> None:
    unit = page("mills", 1, "rye flour", "page:1")
    store.upsert("a", record("mills"), [unit])
    assert store.units("a", level="page") == [unit]
    assert store.search("a", level="page", text=["rye"])[0].unit == unit


def test_a_scene_from_the_first_second_keeps_its_span(store: Store) -> None:
    unit = Unit(
        id="x", document_id="clip", level="page", kind="scene", page=1, text="t", start=0.0, end=2.5
    )
    store.upsert("a", record("clip"), [unit])
    assert store.units("a", level="page") == [unit]


def test_full_text_ranks_by_rare_words(store: Store) -> None:
    fill(store)
    assert ids(store, text=["flour", "mill"])[0] == "mills:1"
    assert set(ids(store, text=["flour"])) == {"mills:1", "boats:1"}


def test_references_are_a_field_of_their_own(store: Store) -> None:
    fill(store)
    assert ids(store, refs=["label:7"]) == ["mills:1"]
    assert ids(store, text=["label:7"]) == []


def test_dense_search_ranks_by_cosine(store: Store) -> None:
    fill(store)
    hits = store.search("a", level="page", dense=[0.0, 5.0], k=2)
    assert [hit.unit.id for hit in hits] == ["mills:2", "boats:1"]
    assert hits[0].score > hits[1].score
    if not isinstance(getattr(store, "_engine", None), LangChainEngine):  # scores are the store's
        assert hits[0].score == pytest.approx(1.0, abs=1e-5)


def test_only_one_kind_of_query_at_a_time(store: Store) -> None:
    with pytest.raises(ValueError, match="one of text, refs and dense"):
        store.search("a", level="page", text=["x"], dense=[1.0])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(documents=("boats",)), {"boats:1"}),
        (Filter(paths=("sea/*",)), {"boats:1"}),
        (Filter(media_types=("application/pdf",)), {"mills:1"}),
        (Filter(tags=("north", "other")), {"mills:1"}),
        (Filter(after="2024-01-01"), {"boats:1"}),
        (Filter(before="2024-01-01"), {"mills:1"}),
        (Filter(pages=(2, 9)), set()),
        (Filter(kinds=("page",)), {"mills:1", "boats:1"}),
        (Filter(kinds=("table",)), set()),
    ],
)
def test_filters_hold_for_full_text_and_vectors(
    store: Store, where: Filter, expected: set[str]
) -> None:
    fill(store)
    assert set(ids(store, text=["flour"], where=where)) == expected
    dense = set(ids(store, dense=[1.0, 0.0], where=where))
    assert dense & {"mills:1", "boats:1"} == expected
    assert {unit.id for unit in store.units("a", level="page", where=where)} == dense


def test_an_upsert_replaces_all_of_a_document(store: Store) -> None:
    fill(store)
    store.upsert("a", record("mills"), [page("mills", 1, "oats only")], [[0.5, 0.5]])
    assert ids(store, text=["flour", "wheat", "rye"]) == ["boats:1"]
    assert ids(store, text=["oat"]) == ["mills:1"]
    assert store.stats("a").vectors == 2
    assert ids(store, dense=[0.0, 1.0], where=Filter(tags=("north",))) == []


def test_a_delete_takes_units_vectors_and_tags_along(store: Store) -> None:
    fill(store)
    assert store.delete("a", ["mills", "never there"]) == 1
    assert [document.id for document in store.documents("a")] == ["boats"]
    stats = store.stats("a")
    assert (stats.documents, stats.units, stats.pages, stats.vectors) == (1, 1, 1, 1)
    assert ids(store, text=["rye"]) == []


def test_documents_and_units_are_fetched_by_their_ids(store: Store) -> None:
    fill(store)
    assert [one.id for one in store.documents("a")] == ["mills", "boats"]
    assert [one.id for one in store.documents("a", ["boats", "gone"])] == ["boats"]
    assert store.documents("a", []) == []
    assert store.documents("b", ["boats"]) == []
    found = store.units("a", level="page", where=Filter(ids=("mills:2", "boats:1", "gone")))
    assert [unit.id for unit in found] == ["boats:1", "mills:2"]


def test_namespaces_do_not_see_each_other(store: Store) -> None:
    fill(store, "a")
    store.upsert("b", record("mills"), [page("mills", 1, "secret flour")], [[1.0, 0.0]])
    everything = Filter(documents=("mills", "boats"), paths=("*",))
    for query in ({"text": ["secret"]}, {"text": ["secret"], "where": everything}):
        assert ids(store, "a", **query) == []
    texts = [hit.unit.text for hit in store.search("b", level="page", dense=[1.0, 0.0])]
    assert texts == ["secret flour"]
    assert [unit.text for unit in store.units("b", level="page", where=everything)] == [
        "secret flour"
    ]
    assert store.delete("a", ["mills"]) == 1
    assert store.stats("b").units == 1
    assert store.stats("none").documents == 0


HOSTILE = ["' OR '1'='1", 'b" or 1 == 1 or "', "a'; DROP TABLE units; --", "*", "%", "../b", "ä b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_or_filter_leads_across_namespaces(store: Store, name: str) -> None:
    store.upsert("b", record("mills"), [page("mills", 1, "secret flour")], [[1.0, 0.0]])
    store.upsert(name, record(name), [page(name, 1, "own flour")], [[0.9, 0.1]])
    filters = [
        None,
        Filter(documents=("mills", name)),
        Filter(paths=("*", name)),
        Filter(kinds=(name, "page")),  # type: ignore[arg-type]
        Filter(ids=("mills:1", f"{name}:1")),
        Filter(media_types=(name, "application/pdf")),
        Filter(tags=(name,)),
        Filter(after=name),
        Filter(before=name),
    ]
    for where in filters:
        for query in ({"text": ["secret", "own"]}, {"dense": [1.0, 0.0]}):
            assert set(ids(store, name, where=where, **query)) <= {f"{name}:1"}
    assert ids(store, name, dense=[1.0, 0.0]) == [f"{name}:1"]
    assert store.delete(name, ["mills", name]) == 1
    assert [unit.text for unit in store.units("b", level="page")] == ["secret flour"]
    assert ids(store, "b", dense=[1.0, 0.0]) == ["mills:1"]


def test_a_second_reader_sees_what_the_first_wrote(open_store: Open) -> None:
    first, second = open_store(), open_store()
    fill(first)
    assert set(ids(second, text=["flour"])) == {"mills:1", "boats:1"}
    assert ids(second, dense=[0.0, 1.0], k=1) == ["mills:2"]
    first.delete("a", ["mills"])
    assert ids(second, dense=[0.0, 1.0], k=1) == ["boats:1"]


def test_words_of_a_query_are_never_syntax(store: Store) -> None:
    fill(store)
    for word in ('"', "flour*", "body:flour", "NEAR(", "') OR 1=1 --", "a AND b"):
        assert isinstance(ids(store, text=[word]), list)
    assert ids(store, text=["x"], where=Filter(documents=("') OR 1=1 --",))) == []


def test_a_failing_upsert_leaves_the_old_entries(store: Store) -> None:
    fill(store)
    with pytest.raises(AttributeError):
        store.upsert("a", record("mills"), [page("mills", 1, "new"), None])  # type: ignore[list-item]
    assert set(ids(store, text=["rye", "wheat"])) == {"mills:1", "mills:2"}
    assert ids(store, text=["new"]) == []


def test_another_embedding_model_is_an_error_that_says_what_to_do(open_store: Open) -> None:
    open_store().set_embedding("small", 2)
    open_store().set_embedding("small", 2)
    with pytest.raises(IndexMismatchError, match=r"'small' \(2 dimensions\), not 'large' \(4\)"):
        open_store().set_embedding("large", 4)


def test_a_store_travels_to_another_process(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "index.sqlite")
    fill(store)
    copy = pickle.loads(pickle.dumps(store))
    assert ids(copy, text=["rye"]) == ["mills:1"]
    copy.close()
    store.close()


def test_an_index_of_another_layout_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "index.sqlite")
    fill(store)
    store._db().execute("UPDATE meta SET value = '0' WHERE key = 'version'")
    store.close()
    with pytest.raises(IndexMismatchError, match="ingest the files into a new index"):
        SqliteStore(tmp_path / "index.sqlite").documents("a")


def test_a_dropped_store_leaves_no_connection_open(tmp_path: Path) -> None:
    """From Python 3.13 on a connection that is left open warns."""
    store = SqliteStore(tmp_path / "index.sqlite")
    fill(store)
    connection = store._db()
    del store
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        connection.execute("SELECT 1")
