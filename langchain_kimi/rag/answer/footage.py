"""Frames of a video at given times."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from langchain_kimi.rag.errors import StaleFileError
from langchain_kimi.rag.ingest.video import frame_at
from langchain_kimi.rag.pictures import unchanged
from langchain_kimi.rag.retrieve.search import Found


def frame_pictures(found: Found, times: Sequence[float]) -> list[Image.Image]:
    """Return the frames that are shown at given seconds.

    Raises:
        StaleFileError: If the file is gone or changed since it was ingested, or has no such frame.
    """
    path = unchanged(found.document)
    return [_frame(path, seconds) for seconds in times]


def _frame(path: Path, seconds: float) -> Image.Image:
    frame = frame_at(path, seconds)
    if frame is None:
        msg = f"{path.name} has no frame at {seconds:.1f} s: ingest its folder again"
        raise StaleFileError(msg)
    return frame
