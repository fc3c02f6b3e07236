"""RapidOCR reads pictures where Tesseract is not there; its weights are in its wheel."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from langchain_kimi.rag import Corpus

pytest.importorskip("rapidocr", exc_type=ImportError)
pytest.importorskip("onnxruntime", exc_type=ImportError)


def test_a_picture_is_read_and_found(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "")
    folder = tmp_path / "files"
    folder.mkdir()
    picture = Image.new("RGB", (640, 160), "white")
    ImageDraw.Draw(picture).text((30, 50), "Oats harvest 1742", "black", ImageFont.load_default(48))
    picture.save(folder / "sign.png")

    corpus = Corpus(tmp_path / "corpus", ocr="rapidocr")
    report = corpus.ingest(folder)
    found = corpus.search("harvest", k=1)
    corpus.close()

    assert report.failures == []
    assert "1742" in found[0].text
    assert found[0].regions[0].box is not None
