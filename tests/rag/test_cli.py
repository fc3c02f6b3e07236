"""The commands `ingest` and `search`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from langchain_kimi.cli.rag import register
from tests.rag.conftest import annual_report

runner = CliRunner()


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    register(app)
    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "report.pdf").write_bytes(annual_report()[0].to_bytes())
    return folder


def test_ingest_then_search(app: typer.Typer, folder: Path, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    arguments = ["--index", index, "--workers", "0", "--ocr", "none"]
    done = runner.invoke(app, ["ingest", str(folder), *arguments])
    assert done.exit_code == 0
    assert "1 added; 4 pages" in done.stdout
    found = runner.invoke(app, ["search", "tonnes of oats", "--index", index, "-k", "1"])
    assert "report.pdf, page 3" in found.stdout
    assert "table [76 135" in found.stdout
    as_json = runner.invoke(app, ["search", "tonnes of oats", "--index", index, "--json"])
    assert json.loads(as_json.stdout)[0]["page"] == 3


def test_failures_are_listed_and_set_the_exit_code(
    app: typer.Typer, folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.pdf").write_bytes(b"no pdf")
    arguments = ["--index", str(tmp_path / "index"), "--workers", "0"]
    done = runner.invoke(app, ["ingest", str(folder), *arguments])
    assert done.exit_code == 1
    assert "failed: broken.pdf: broken.pdf is no readable PDF" in done.stdout
    as_json = runner.invoke(app, ["ingest", str(folder), *arguments, "--json"])
    states = {entry["path"]: entry["state"] for entry in json.loads(as_json.stdout)["files"]}
    assert states == {"broken.pdf": "failed", "report.pdf": "unchanged"}


def test_wrong_arguments_say_what_to_do(app: typer.Typer, folder: Path, tmp_path: Path) -> None:
    index = str(tmp_path / "index")
    missing = runner.invoke(app, ["search", "x", "--index", index])
    assert missing.exit_code == 2
    assert "runingestfirst" in missing.output.replace("\n", "").replace(" ", "")
    nowhere = runner.invoke(app, ["ingest", str(tmp_path / "no"), "--index", index])
    assert nowhere.exit_code == 2
    engine = runner.invoke(app, ["ingest", str(folder), "--index", index, "--ocr", "magic"])
    assert engine.exit_code == 2
    assert "useauto,tesseract,rapidocrornone" in engine.output.replace("\n", "").replace(" ", "")
