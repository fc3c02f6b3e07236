"""One file to a parsed document, by its type."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from langchain_kimi.rag.errors import UnreadableFileError
from langchain_kimi.rag.ingest.files import MEDIA_TYPES
from langchain_kimi.rag.ingest.ocr import OcrChoice, open_ocr
from langchain_kimi.rag.ingest.parsed import Parsed

PARSER = "2"
"""Version of the parsers: files parsed by another one are parsed again."""


@dataclass(frozen=True, kw_only=True)
class ParseSettings:
    """What parsing depends on besides the file."""

    ocr: OcrChoice = "auto"
    cache: Path | None = None
    """A folder for what OCR has read."""

    def fingerprint(self) -> str:
        """Return what makes a parsed file stale when it changes."""
        return f"{PARSER} ocr={self.ocr}"


def parse_file(path: Path, settings: ParseSettings) -> Parsed:
    """Parse a file of any known type.

    Raises:
        UnreadableFileError: If it is empty, damaged, encrypted or too large.
        UnsupportedFileError: If an extra is missing.
    """
    if path.stat().st_size == 0:
        msg = f"{path.name} is empty"
        raise UnreadableFileError(msg)
    kind = MEDIA_TYPES[path.suffix.lower()]
    family = kind.split("/")[0]
    if kind == "application/pdf":
        from langchain_kimi.rag.ingest.pdf import parse_pdf

        return parse_pdf(path, ocr=open_ocr(settings.ocr, cache=settings.cache))
    if family == "image":
        from langchain_kimi.rag.ingest.images import parse_image

        return parse_image(path, ocr=open_ocr(settings.ocr, cache=settings.cache))
    if family == "video":
        from langchain_kimi.rag.ingest.video import parse_video

        return parse_video(path, ocr=open_ocr(settings.ocr, cache=settings.cache))
    if family == "text":
        return _parse_text(path, kind)
    from langchain_kimi.rag.ingest.office import parse_docx, parse_pptx

    return parse_docx(path) if path.suffix.lower() == ".docx" else parse_pptx(path)


def _parse_text(path: Path, kind: str) -> Parsed:
    from langchain_kimi.rag.ingest.sections import parse_html, parse_markdown, parse_plain

    if kind == "text/markdown":
        return parse_markdown(path)
    return parse_html(path) if kind == "text/html" else parse_plain(path)
