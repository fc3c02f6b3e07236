"""A picture as a question: the words in it."""

from __future__ import annotations

from PIL import Image

from langchain_kimi.rag.ingest.images import read_picture
from langchain_kimi.rag.ingest.ocr import OcrEngine

_MOST_WORDS = 60


def words_in(picture: Image.Image, engine: OcrEngine | None) -> str:
    """Return the first words that an OCR engine reads in a picture; without an engine, none."""
    if engine is None:
        return ""
    regions, _ = read_picture(picture.convert("L"), engine)
    words = " ".join(region.text for region in regions).split()
    return " ".join(words[:_MOST_WORDS])
