"""Whatever happens to a folder, the index equals a fresh ingest of what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from langchain_kimi.rag import Corpus, EngineStore, Entry, IngestOptions
from tests.rag.test_engine_store import Shelf
from tests.rag.test_search import Letters

NAMES = st.sampled_from(["a.md", "b.txt", "sub/c.html", "d.md"])
TREES = ["ash", "birch", "cedar", "elm", "fir", "oak"]
WORDS = st.lists(st.sampled_from(TREES), min_size=1, max_size=4)
HERE = IngestOptions(workers=0)


class _Crash(BaseException):
    """Stands for the end of a process."""


class Lifecycle(RuleBasedStateMachine):
    """Two corpora on one index, as two processes have, and a folder that changes."""

    @initialize()
    def begin(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="lifecycle-"))
        self.folder = self.base / "docs"
        self.folder.mkdir()
        self.corpora = [self.open() for _ in range(2)]
        self.clean = True

    def open(self) -> Corpus:
        return Corpus(self.base / "index", ocr="none")

    def teardown(self) -> None:
        if hasattr(self, "base"):
            for corpus in self.corpora:
                corpus.close()
            shutil.rmtree(self.base)

    @rule(name=NAMES, words=WORDS)
    def write(self, name: str, words: list[str]) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("# Trees\n\n" + " ".join(words))
        self.clean = False

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        source, target = self.folder / old, self.folder / new
        if source.exists() and source.suffix == target.suffix:
            target.parent.mkdir(exist_ok=True)
            source.rename(target)
            self.clean = False

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        self.clean = False

    @rule(which=st.integers(0, 1))
    def ingest(self, which: int) -> None:
        self.corpora[which].ingest(self.folder, options=HERE)
        self.clean = True

    @rule(which=st.integers(0, 1), after=st.integers(0, 3))
    def crash(self, which: int, after: int) -> None:
        left = [after]

        def progress(*_: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise _Crash

        try:
            self.corpora[which].ingest(self.folder, options=HERE, progress=progress)
            self.clean = True
        except _Crash:
            self.clean = False

    @rule()
    def both_at_once(self) -> None:
        threads = [
            threading.Thread(target=corpus.ingest, args=[self.folder], kwargs={"options": HERE})
            for corpus in self.corpora
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.clean = True

    @invariant()
    def equals_a_fresh_ingest(self) -> None:
        if not getattr(self, "clean", False):
            return
        with tempfile.TemporaryDirectory() as fresh_folder:
            fresh = Corpus(fresh_folder, ocr="none")
            fresh.ingest(self.folder, options=HERE)
            for corpus in self.corpora:
                assert _content(corpus) == _content(fresh)
            fresh.close()


def _content(corpus: Corpus) -> list[Any]:
    documents = [(record.path, record.sha256, record.counts) for record in corpus.documents()]
    units = [
        sorted(corpus.store.units("default", level=level), key=lambda unit: unit.id)
        for level in ("document", "page", "chunk")
    ]
    hits = [
        {hit.unit.id for hit in corpus.store.search("default", level="page", text=[word])}
        for word in TREES
    ]
    return [documents, units, hits]


class CrashingShelf(Shelf):
    """An engine whose next call, after some, is the last of its process."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1

    def add(self, collection: str, entries: Sequence[Entry]) -> None:
        super().add(collection, entries)
        self._count_down()

    def remove(self, collection: str, keys: Sequence[str]) -> None:
        self._count_down()
        super().remove(collection, keys)

    def _count_down(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise _Crash


class EngineLifecycle(Lifecycle):
    """The same with the vectors in an engine, which may be where a process ends."""

    @initialize()
    def begin(self) -> None:
        self.shelf = CrashingShelf()
        super().begin()

    def open(self) -> Corpus:
        store = EngineStore(self.base / "index" / "index.sqlite", self.shelf, patience=0.0)
        return Corpus(self.base / "index", ocr="none", store=store, embeddings=Letters())

    @rule()
    def both_at_once(self) -> None:
        """With no patience two writers would clear each other's vectors away."""

    @rule(which=st.integers(0, 1), after=st.integers(1, 4))
    def crash_in_the_engine(self, which: int, after: int) -> None:
        self.shelf.left = after
        try:
            self.corpora[which].ingest(self.folder, options=HERE)
            self.clean = True
        except _Crash:
            self.clean = False
        self.shelf.left = -1

    @invariant()
    def holds_the_vectors_of_the_index_and_no_others(self) -> None:
        if not getattr(self, "clean", False):
            return
        corpus = self.corpora[0]
        corpus.store.delete("default", [])  # any write clears what is left
        assert self.shelf.count == corpus.stats().vectors
        chunks = {unit.id for unit in corpus.store.units("default", level="chunk")}
        hits = corpus.store.search("default", level="chunk", dense=[1.0] * 26, k=1_000)
        assert {hit.unit.id for hit in hits} == chunks


TestLifecycle = Lifecycle.TestCase
TestEngineLifecycle = EngineLifecycle.TestCase
TestLifecycle.settings = TestEngineLifecycle.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("killed", [False, True])
def test_two_processes_at_once_leave_what_one_would(tmp_path: Path, killed: bool) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(30):
        text = " ".join(TREES[number % 6 :])
        (folder / f"n{number}.md").write_text(f"# {number}\n\n{text} {number}\n")
    script = textwrap.dedent(
        """
        import os, sys
        from langchain_kimi.rag import Corpus, IngestOptions
        def progress(report, done, total):
            if done == int(sys.argv[3]):
                os.kill(os.getpid(), 9)
        corpus = Corpus(sys.argv[2], ocr="none")
        print(corpus.ingest(sys.argv[1], options=IngestOptions(workers=0), progress=progress))
        """
    )
    index = tmp_path / "index"
    ends = [20 if killed else -1, -1]
    running = [
        subprocess.Popen([sys.executable, "-c", script, folder, index, str(end)]) for end in ends
    ]
    codes = [process.wait(timeout=60) for process in running]
    assert codes == [-9 if killed else 0, 0]
    corpus, fresh = Corpus(index, ocr="none"), Corpus(tmp_path / "fresh", ocr="none")
    fresh.ingest(folder, options=HERE)
    assert _content(corpus) == _content(fresh)
    corpus.close()
    fresh.close()
