"""Optical character recognition: Tesseract on the PATH, else RapidOCR, with a cache."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from PIL import Image

from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.ingest.words import Word

OcrChoice = Literal["auto", "tesseract", "rapidocr", "none"]
DPI = 216
_LEAST_CONFIDENCE = 30.0
_TIMEOUT = 120.0


class OcrEngine(Protocol):
    """Reads words in a grey picture; boxes are in its pixels."""

    @property
    def name(self) -> str:
        """Name and version: part of the cache's key."""

    def read(self, image: Image.Image) -> list[Word]:
        """Return the words in reading order."""


class OcrError(RuntimeError):
    """The OCR engine failed on a picture."""


class Tesseract:
    """Tesseract 4 or 5 as a process of its own for each picture."""

    def __init__(self, languages: str = "eng", layout: int = 3) -> None:
        self._languages = languages
        self._layout = layout

    @property
    def name(self) -> str:
        """Return the name, version and settings: part of the key of the cache."""
        return f"{_tesseract_version()} {self._languages} psm{self._layout}"

    def read(self, image: Image.Image) -> list[Word]:
        """Return the words of a picture in reading order."""
        header = f"P5 {image.width} {image.height} 255\n".encode()
        command = ["tesseract", "stdin", "stdout", "--dpi", str(DPI), "-l", self._languages]
        command += ["--psm", str(self._layout), "tsv"]
        try:
            done = subprocess.run(  # noqa: S603 no shell, fixed arguments
                command,
                input=header + image.convert("L").tobytes(),
                capture_output=True,
                timeout=_TIMEOUT,
                check=True,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            )
        except subprocess.TimeoutExpired as error:
            msg = f"tesseract took more than {_TIMEOUT:.0f} s for one picture"
            raise OcrError(msg) from error
        except subprocess.CalledProcessError as error:
            msg = f"tesseract failed: {error.stderr.decode(errors='replace').strip()[:200]}"
            raise OcrError(msg) from error
        return _tesseract_words(done.stdout.decode("utf-8", "replace"))


@lru_cache(maxsize=1)
def _tesseract_version() -> str:
    command = ["tesseract", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return (done.stdout or done.stderr).splitlines()[0]


def _tesseract_words(tsv: str) -> list[Word]:
    words = []
    for row in csv.DictReader(tsv.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        text = (row.get("text") or "").strip()
        if not text or float(row["conf"]) < _LEAST_CONFIDENCE:
            continue
        if not any(character.isalnum() for character in text):
            continue
        left, top = float(row["left"]), float(row["top"])
        box = Box(left, top, left + float(row["width"]), top + float(row["height"]))
        words.append(Word(text, box, box.height))
    return words


class RapidOcr:
    """RapidOCR; its weights come in its wheel (extra `ocr`)."""

    def __init__(self) -> None:
        self._engine: Any = None

    @property
    def name(self) -> str:
        """Return the name, version and settings: part of the key of the cache."""
        return f"rapidocr {version('rapidocr')}"

    def read(self, image: Image.Image) -> list[Word]:
        """Return the words of a picture in reading order."""
        import numpy as np

        if self._engine is None:
            self._engine = import_module("rapidocr").RapidOCR()
        result = self._engine(np.asarray(image.convert("RGB")))
        if result.boxes is None:
            return []
        words = []
        for quad, text in zip(result.boxes, result.txts, strict=True):
            xs, ys = quad[:, 0], quad[:, 1]
            box = Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
            words.extend(_split(str(text), box))
        return words


def _split(text: str, box: Box) -> list[Word]:
    """Give each word of a line its share of the line's box."""
    words, length = [], max(len(text), 1)
    start = 0
    for piece in text.split():
        start = text.index(piece, start)
        end = start + len(piece)
        left = box.x0 + box.width * start / length
        right = box.x0 + box.width * end / length
        words.append(Word(piece, Box(left, box.y0, right, box.y1), box.height))
        start = end
    return words


class CachedOcr:
    """Keeps the words of each picture under the hash of its pixels."""

    def __init__(self, engine: OcrEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    @property
    def name(self) -> str:
        """Return the name, version and settings: part of the key of the cache."""
        return self._engine.name

    def read(self, image: Image.Image) -> list[Word]:
        """Return the words of a picture in reading order."""
        path = self._path(image)
        try:
            return [
                Word(text, Box(*box), size) for text, box, size in json.loads(path.read_bytes())
            ]
        except (FileNotFoundError, ValueError):
            words = self._engine.read(image)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps([(word.text, word.box, word.size) for word in words]))
        partial.replace(path)
        return words

    def _path(self, image: Image.Image) -> Path:
        digest = hashlib.sha256(f"{self.name} {image.size} {image.mode}".encode())
        digest.update(image.tobytes())
        key = digest.hexdigest()
        return self._folder / key[:2] / f"{key[2:]}.json"


def open_ocr(choice: OcrChoice = "auto", *, cache: Path | None = None) -> OcrEngine | None:
    """Return the OCR engine to use, or None when there is none.

    Args:
        choice: An engine by name, `"auto"` for the first that is there, `"none"` for no OCR.
        cache: A folder that keeps what was read, by the hash of the picture.

    Raises:
        ValueError: If the engine that was asked for is not installed.
    """
    engine = _engine(choice)
    if engine is None or cache is None:
        return engine
    return CachedOcr(engine, cache)


def _engine(choice: OcrChoice) -> OcrEngine | None:
    if choice not in ("auto", "tesseract", "rapidocr", "none"):
        msg = f"unknown OCR engine {choice!r}: use auto, tesseract, rapidocr or none"
        raise ValueError(msg)
    if choice in ("auto", "tesseract") and shutil.which("tesseract"):
        return Tesseract()
    if choice in ("auto", "rapidocr") and find_spec("rapidocr"):
        return RapidOcr()
    if choice in ("auto", "none"):
        return None
    hint = "install tesseract-ocr" if choice == "tesseract" else "install the extra `ocr`"
    msg = f"the OCR engine {choice!r} is not installed: {hint}, or pass ocr='auto'"
    raise ValueError(msg)


def place(words: Sequence[Word], scale: float, left: float, top: float) -> list[Word]:
    """Map words from the pixels of a crop to page points."""
    return [
        Word(
            word.text,
            Box(
                left + word.box.x0 * scale,
                top + word.box.y0 * scale,
                left + word.box.x1 * scale,
                top + word.box.y1 * scale,
            ),
            word.size * scale,
        )
        for word in words
    ]
