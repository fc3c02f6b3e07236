"""Whatever happens to a folder, the index equals a fresh ingest of what is there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from langchain_kimi.rag import Corpus, IngestOptions

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
        self.corpora = [Corpus(self.base / "index", ocr="none") for _ in range(2)]
        self.clean = True

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


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=8,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
