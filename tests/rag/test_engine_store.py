"""An index in two places: never between two versions, whatever fails."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest

from langchain_kimi.rag import (
    EngineStore,
    Entry,
    Filter,
    LanceEngine,
    MilvusEngine,
    Scope,
    StaleFileError,
)
from langchain_kimi.rag.index.store import Vector
from tests.rag.test_store import fill, ids, page, record


class Shelf:
    """An engine in memory that can fail, and that narrows nothing."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Vector]] = {}
        self.failing = ""
        self.asked: list[tuple[Scope, int]] = []

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        shelf = self.kept.setdefault(collection, {})
        for entry in entries:
            shelf[entry.key] = entry.vector
            self._fail("add")

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        self._fail("remove")
        for key in keys:
            self.kept.get(collection, {}).pop(key, None)

    def nearest(
        self, collection: str, vector: Vector, scope: Scope, k: int
    ) -> list[tuple[str, float]]:
        self.asked.append((scope, k))
        shelf = self.kept.get(collection, {})
        found = [
            (key, sum(a * b for a, b in zip(vector, kept, strict=True)))
            for key, kept in shelf.items()
        ]
        return sorted(found, key=lambda pair: -pair[1])[:k]

    def close(self) -> None:
        self.failing = ""

    def _fail(self, step: str) -> None:
        if step == self.failing:
            msg = f"{step} failed"
            raise ConnectionError(msg)

    @property
    def count(self) -> int:
        return sum(len(shelf) for shelf in self.kept.values())


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


def test_a_write_that_fails_leaves_the_old_version(path: Path, shelf: Shelf) -> None:
    store = EngineStore(path, shelf)
    fill(store)
    shelf.failing = "add"
    with pytest.raises(ConnectionError):
        store.upsert("a", record("mills"), [page("mills", 1, "new")], [[1.0, 0.0]])
    assert ids(store, dense=[1.0, 0.0]) == ["mills:1", "boats:1", "mills:2"]
    assert store.stats("a").vectors == 3
    assert shelf.count == 4
    shelf.failing = ""
    patient = EngineStore(path, shelf)
    patient.upsert("a", record("other"), [])
    assert shelf.count == 4
    EngineStore(path, shelf, patience=0.0).upsert("a", record("other"), [])
    assert shelf.count == 3
    store.close()


def test_a_removal_that_fails_is_made_up_for(path: Path, shelf: Shelf) -> None:
    store = EngineStore(path, shelf)
    fill(store)
    shelf.failing = "remove"
    with pytest.raises(ConnectionError):
        store.upsert("a", record("mills"), [page("mills", 1, "new")], [[1.0, 0.0]])
    assert ids(store, dense=[1.0, 0.0]) == ["mills:1", "boats:1"]
    assert shelf.count == 4
    shelf.failing = ""
    assert store.delete("a", ["never there"]) == 0
    assert shelf.count == 2
    store.close()


def test_a_version_that_was_cleared_away_is_not_committed(path: Path) -> None:
    class Slow(Shelf):
        def add(self, collection: str, entries: Sequence[Entry]) -> None:
            super().add(collection, entries)
            if not self.asked:
                self.asked.append((Scope(level="page"), 0))
                EngineStore(path, self, patience=0.0).delete("a", ["x"])

    store = EngineStore(path, Slow())
    with pytest.raises(StaleFileError, match="ingest it again"):
        store.upsert("a", record("mills"), [page("mills", 1, "rye")], [[1.0, 0.0]])
    assert store.documents("a") == []
    store.close()


def test_more_is_asked_until_enough_meet_the_filter(path: Path, shelf: Shelf) -> None:
    store = EngineStore(path, shelf)
    many = [page("many", number, "rye") for number in range(1, 41)]
    vectors = [[1.0, number / 100] for number in range(40)]
    store.upsert("a", record("many"), many, vectors)
    fill(store, "a")
    assert ids(store, dense=[0.0, 1.0], k=2) == ["mills:2", "boats:1"]
    shelf.asked.clear()
    assert ids(store, dense=[0.0, 1.0], where=Filter(ids=("many:1",)), k=3) == ["many:1"]
    assert [k for _, k in shelf.asked] == [3, 12, 48]
    store.close()


def test_two_indexes_on_one_engine_keep_apart(tmp_path: Path, shelf: Shelf) -> None:
    first = EngineStore(tmp_path / "one.sqlite", shelf)
    second = EngineStore(tmp_path / "two.sqlite", shelf)
    fill(first)
    assert ids(second, dense=[1.0, 0.0]) == []
    fill(second)
    first.delete("a", ["mills", "boats"])
    assert len(ids(second, dense=[1.0, 0.0])) == 3
    assert len(shelf.kept) == 2
    first.close()
    second.close()


def test_an_engine_travels_to_another_process_but_a_token_does_not(tmp_path: Path) -> None:
    pytest.importorskip("lancedb")
    store = EngineStore(tmp_path / "index.sqlite", LanceEngine(tmp_path / "lance"))
    fill(store)
    copy = pickle.loads(pickle.dumps(store))
    assert ids(copy, dense=[0.0, 1.0], k=1) == ["mills:2"]
    copy.close()
    store.close()
    engine = MilvusEngine("http://127.0.0.1:19530", token="secret")
    assert "secret" not in repr(engine)
    with pytest.raises(TypeError, match="make it where it is used"):
        pickle.dumps(engine)
    assert "AUTOINDEX" in repr(pickle.loads(pickle.dumps(MilvusEngine("http://127.0.0.1:1"))))


def test_lance_compacts_after_many_writes(tmp_path: Path) -> None:
    lancedb = pytest.importorskip("lancedb")
    store = EngineStore(tmp_path / "index.sqlite", LanceEngine(tmp_path / "lance"))
    for number in range(65):
        name = f"d{number}"
        store.upsert("a", record(name), [page(name, 1, "rye")], [[1.0, number / 10]])
    assert len(ids(store, dense=[1.0, 0.0], k=100)) == 65
    connection = lancedb.connect(tmp_path / "lance")
    table = connection.open_table(connection.list_tables().tables[0])
    assert table.stats()["fragment_stats"]["num_fragments"] == 2
    store.close()
