"""Folders: what is new, changed, gone, broken, hostile."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from langchain_kimi.rag import Corpus, FileReport, IngestOptions
from langchain_kimi.rag.index.records import Level
from langchain_kimi.rag.ingest import images, office, pool
from langchain_kimi.rag.ingest.files import find_files
from langchain_kimi.rag.ingest.parse import ParseSettings
from tests.rag.conftest import Make, annual_report, scanned

HERE = IngestOptions(workers=0)


def states(corpus: Corpus, folder: Path, options: IngestOptions = HERE) -> dict[str, str]:
    return {entry.path: entry.state for entry in corpus.ingest(folder, options=options).files}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    (folder / "notes.md").write_text("# Notes\n\nThe weir was repaired in May.\n")
    (folder / "sub" / "page.html").write_text(
        "<title>Fish</title><h1>Fish ladder</h1><p>Trout climb it.</p><script>evil()</script>"
    )
    return folder


def test_the_second_run_touches_nothing(folder: Path, make_corpus: Make) -> None:
    corpus = make_corpus()
    assert set(states(corpus, folder).values()) == {"added"}
    assert set(states(corpus, folder).values()) == {"unchanged"}
    assert corpus.stats().documents == 3


def test_changed_renamed_and_deleted_files_are_followed(folder: Path, make_corpus: Make) -> None:
    corpus = make_corpus()
    corpus.ingest(folder, options=HERE)
    (folder / "notes.md").write_text("# Notes\n\nThe weir broke again.\n")
    (folder / "report.pdf").rename(folder / "annual.pdf")
    (folder / "sub" / "page.html").unlink()
    assert states(corpus, folder) == {
        "report.pdf": "removed",
        "sub/page.html": "removed",
        "notes.md": "changed",
        "annual.pdf": "added",
    }
    assert [found.document.path for found in corpus.search("weir repaired", k=3)] == ["notes.md"]
    assert corpus.search("weir repaired", k=1)[0].text == "Notes\nThe weir broke again."


def test_a_single_file_leaves_the_others_in_place(folder: Path, make_corpus: Make) -> None:
    corpus = make_corpus()
    corpus.ingest(folder, options=HERE)
    assert states(corpus, folder / "notes.md") == {"notes.md": "unchanged"}
    assert corpus.stats().documents == 3


def test_other_settings_make_files_stale(folder: Path, make_corpus: Make) -> None:
    make_corpus().ingest(folder, options=HERE)
    tagged = IngestOptions(workers=0, tags=("new",))
    assert set(states(make_corpus(), folder, tagged).values()) == {"changed"}


def test_progress_is_told_for_each_file(folder: Path, make_corpus: Make) -> None:
    seen: list[tuple[str, int, int]] = []

    def progress(entry: FileReport, done: int, total: int) -> None:
        seen.append((entry.state, done, total))

    make_corpus().ingest(folder, options=HERE, progress=progress)
    assert seen == [("added", 1, 3), ("added", 2, 3), ("added", 3, 3)]


def test_the_index_and_hidden_files_are_not_ingested(folder: Path) -> None:
    corpus = Corpus(folder / "index", ocr="none")
    (folder / ".hidden.md").write_text("secret")
    (folder / "index").mkdir()
    (folder / "index" / "note.md").write_text("inside the index")
    (folder / "outside.md").symlink_to("/etc/hostname")
    assert set(states(corpus, folder)) == {"report.pdf", "notes.md", "sub/page.html"}
    corpus.close()


def test_a_missing_folder_is_an_error(tmp_path: Path, make_corpus: Make) -> None:
    with pytest.raises(FileNotFoundError, match="pass a folder or a file"):
        make_corpus().ingest(tmp_path / "nowhere")


HOSTILE = {
    "empty.pdf": b"",
    "empty.md": b"",
    "noise.pdf": bytes(range(256)) * 40,
    "noise.png": b"\x89PNG\r\n\x1a\n" + b"\x00" * 200,
    "noise.mp4": b"\x00\x00\x00\x18ftypmp42" + b"\xff" * 500,
    "noise.docx": b"PK\x03\x04" + b"\x00" * 100,
    "noise.pptx": b"no zip at all",
    "text.jpg": b"only text",
    "half.gif": b"GIF89a\x01\x00",
}


def test_broken_files_of_every_type_fail_alone_and_say_why(folder: Path, make_corpus: Make) -> None:
    for name, content in HOSTILE.items():
        (folder / name).write_bytes(content)
    corpus = make_corpus()
    report = corpus.ingest(folder, options=HERE)
    failed = {entry.path: entry.reason for entry in report.files if entry.state == "failed"}
    assert set(failed) == set(HOSTILE)
    assert all(Path(name).name in reason for name, reason in failed.items())
    assert report.count("added") == 3
    assert corpus.stats().documents == 3


def test_a_file_that_breaks_leaves_no_old_entries(folder: Path, make_corpus: Make) -> None:
    corpus = make_corpus()
    corpus.ingest(folder, options=HERE)
    (folder / "report.pdf").write_bytes(b"%PDF-1.4 gone")
    assert states(corpus, folder)["report.pdf"] == "failed"
    assert corpus.stats().documents == 2
    assert all(f.document.path != "report.pdf" for f in corpus.search("rye spelt mills"))


def test_a_file_without_text_is_reported_as_empty(folder: Path, make_corpus: Make) -> None:
    scanned([]).save(folder / "blank.png")
    report = make_corpus().ingest(folder, options=HERE)
    entry = next(entry for entry in report.files if entry.path == "blank.png")
    assert (entry.state, entry.reason) == ("empty", "no text was found on 1 pages")
    assert entry in report.failures


def test_pictures_with_too_many_pixels_and_zip_bombs_are_refused(
    folder: Path, make_corpus: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "MAX_PIXELS", 1_000_000)
    monkeypatch.setattr(office, "MAX_UNPACKED", 1 << 22)
    Image.new("1", (1_200, 1_200)).save(folder / "huge.png")
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        block = b"\x00" * (1 << 20)
        with archive.open("word/document.xml", "w") as entry:
            for _ in range(5):
                entry.write(block)
    report = make_corpus().ingest(folder, options=HERE)
    reasons = {entry.path: entry.reason for entry in report.failures}
    assert "too many" in reasons["huge.png"]
    assert "unpacks to" in reasons["bomb.docx"]


def test_workers_parse_the_same_as_one_process(folder: Path, tmp_path: Path) -> None:
    alone, many = Corpus(tmp_path / "one", ocr="none"), Corpus(tmp_path / "two", ocr="none")
    alone.ingest(folder, options=HERE)
    many.ingest(folder, options=IngestOptions(workers=2))
    levels: tuple[Level, ...] = ("document", "page", "chunk")
    for level in levels:
        expected = alone.store.units("default", level=level)
        assert many.store.units("default", level=level) == expected
    alone.close()
    many.close()


def test_workers_that_die_or_hang_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = textwrap.dedent(
        """
        import os, sys
        from langchain_kimi.rag.ingest import worker
        parse = worker.parse_or_reason
        def fragile(path, settings):
            if path.name == "bad.md":
                os._exit(3)
            if path.name == "slow.md":
                import time
                time.sleep(600)
            return parse(path, settings)
        worker.parse_or_reason = fragile
        worker.main()
        """
    )
    real = subprocess.Popen

    def start(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        assert command[:3] == [sys.executable, "-m", "langchain_kimi.rag.ingest.worker"]
        return real([sys.executable, "-c", script, command[-1]], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(pool.subprocess, "Popen", start)
    for name in ("a.md", "bad.md", "c.md", "slow.md", "z.md"):
        (tmp_path / name).write_text(f"# {name}\n\ntext")
    settings = ParseSettings(ocr="none")
    files = list(find_files(tmp_path))
    outcomes = {
        file.path: outcome
        for file, outcome in pool.parse_all(files, settings, workers=1, timeout=3.0)
    }
    assert outcomes["bad.md"] == "bad.md crashed its parser (exit code 3)"
    assert outcomes["slow.md"] == "slow.md took longer than 3 s"
    assert [name for name, outcome in outcomes.items() if not isinstance(outcome, str)] == [
        "a.md",
        "c.md",
        "z.md",
    ]


def test_a_process_killed_while_writing_leaves_the_index_whole(
    folder: Path, make_corpus: Make
) -> None:
    corpus = make_corpus()
    corpus.ingest(folder, options=HERE)
    before = corpus.store.units("default", level="chunk")
    script = textwrap.dedent(
        f"""
        import os
        from langchain_kimi.rag import SqliteStore
        from langchain_kimi.rag.index import postings
        add = postings.add_postings
        def dying(*arguments):
            add(*arguments)
            os.kill(os.getpid(), 9)
        postings.add_postings = dying
        store = SqliteStore({str(corpus.folder / "index.sqlite")!r})
        document = store.documents("default")[-1]
        levels = ("document", "page", "chunk")
        units = [unit for level in levels for unit in store.units("default", level=level)]
        store.upsert("default", document, units)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    assert corpus.store.units("default", level="chunk") == before
    assert set(states(corpus, folder).values()) == {"unchanged"}
