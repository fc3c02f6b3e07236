"""Multimodal retrieval: ingest folders of documents, pictures and videos, and find in them.

Needs the extra `rag`; `video`, `office` and `ocr` add file types and an OCR engine.
"""

from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.errors import (
    EncryptedFileError,
    FileTooLargeError,
    IndexMismatchError,
    RagError,
    UnreadableFileError,
    UnsupportedFileError,
)
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, IndexStats, Unit
from langchain_kimi.rag.index.sqlite import SqliteStore
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.ingest.folder import IngestOptions
from langchain_kimi.rag.ingest.report import FileReport, IngestReport
from langchain_kimi.rag.retrieve.search import Found, Region
from langchain_kimi.rag.retrieve.weights import Weights

__all__ = [
    "Box",
    "Corpus",
    "DocumentRecord",
    "EncryptedFileError",
    "FileReport",
    "FileTooLargeError",
    "Filter",
    "Found",
    "Hit",
    "IndexMismatchError",
    "IndexStats",
    "IngestOptions",
    "IngestReport",
    "RagError",
    "Region",
    "SqliteStore",
    "Store",
    "Unit",
    "UnreadableFileError",
    "UnsupportedFileError",
    "Weights",
]
