"""Parsing on Ray: the same index, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_kimi.rag import Corpus, IngestOptions, UnsupportedFileError
from tests.rag.conftest import annual_report
from tests.rag.test_lifecycle import _content

pytestmark = pytest.mark.timeout(300)  # Ray starts four processes of its own
RAY = IngestOptions(workers=2, on="ray", timeout=60.0)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray")
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 * 1024**2,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    yield ray
    ray.shutdown()
    del os.environ["RAY_USAGE_STATS_ENABLED"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7 nothing")
    for number in range(4):
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nBirch and elm.\n")
    return folder


@pytest.mark.filterwarnings("default")
def test_ray_makes_the_same_index_as_processes(cluster: Any, folder: Path, tmp_path: Path) -> None:
    here = Corpus(tmp_path / "here", ocr="none")
    there = Corpus(tmp_path / "there", ocr="none")
    here.ingest(folder, options=IngestOptions(workers=0))
    report = there.ingest(folder, options=RAY)
    assert (report.count("added"), report.count("failed")) == (5, 1)
    assert "broken.pdf is no readable PDF" in report.failures[0].reason
    assert _content(there) == _content(here)
    again = there.ingest(folder, options=RAY)
    assert (again.count("unchanged"), again.count("failed")) == (5, 1)
    here.close()
    there.close()


@pytest.mark.filterwarnings("default")
def test_a_file_that_kills_its_machine_is_reported_and_the_rest_goes_on(
    cluster: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_kimi.rag.ingest import ray_pool

    class Dying(ray_pool.RayWorker):
        def parse(self, path: Path, settings: Any) -> Any:
            if path.name == "note1.md":
                os.kill(os.getpid(), signal.SIGKILL)
            return super().parse(path, settings)

    monkeypatch.setattr(ray_pool, "RayWorker", Dying)
    corpus = Corpus(tmp_path / "index", ocr="none")
    report = corpus.ingest(folder, options=RAY)
    failed = {entry.path: entry.reason for entry in report.failures}
    assert set(failed) == {"broken.pdf", "note1.md"}
    assert "note1.md was lost with its machine" in failed["note1.md"]
    assert report.count("added") == 4
    corpus.close()


def test_without_ray_the_extra_is_named(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UnsupportedFileError, match="install the extra `ray`"):
        Corpus(tmp_path / "index", ocr="none").ingest(folder, options=RAY)
