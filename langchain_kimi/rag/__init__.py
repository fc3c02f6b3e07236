"""Multimodal retrieval: ingest folders of documents, pictures and videos, and find in them.

Needs the extra `rag`; `office` and `ocr` add file types and an OCR engine.
"""

from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.embeddings.local import LocalEmbeddings
from langchain_kimi.rag.embeddings.nvidia import NemotronEmbeddings
from langchain_kimi.rag.embeddings.pictures import PictureEmbeddings
from langchain_kimi.rag.enrich import Enricher, EnrichReport
from langchain_kimi.rag.errors import (
    EmbeddingError,
    EncryptedFileError,
    FileTooLargeError,
    IndexMismatchError,
    RagError,
    RerankError,
    StaleFileError,
    UnreadableFileError,
    UnsupportedFileError,
)
from langchain_kimi.rag.geometry import Box
from langchain_kimi.rag.index.engine import Entry, Scope, VectorEngine
from langchain_kimi.rag.index.engine_store import EngineStore
from langchain_kimi.rag.index.lance import LanceEngine
from langchain_kimi.rag.index.langchain import LangChainEngine
from langchain_kimi.rag.index.milvus import MilvusEngine
from langchain_kimi.rag.index.records import DocumentRecord, Filter, Hit, IndexStats, Unit
from langchain_kimi.rag.index.sqlite import SqliteStore
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.ingest.folder import IngestOptions
from langchain_kimi.rag.ingest.report import FileReport, IngestReport
from langchain_kimi.rag.pictures import picture_of
from langchain_kimi.rag.rerank.compressor import CompressorReranker
from langchain_kimi.rag.rerank.kimi import KimiReranker
from langchain_kimi.rag.rerank.nvidia import NemotronReranker
from langchain_kimi.rag.rerank.reranker import Reranker
from langchain_kimi.rag.retrieve.search import Found, Region
from langchain_kimi.rag.retrieve.weights import Weights
from langchain_kimi.rag.retriever import CorpusRetriever

__all__ = [
    "Box",
    "CompressorReranker",
    "Corpus",
    "CorpusRetriever",
    "DocumentRecord",
    "EmbeddingError",
    "EncryptedFileError",
    "EngineStore",
    "EnrichReport",
    "Enricher",
    "Entry",
    "FileReport",
    "FileTooLargeError",
    "Filter",
    "Found",
    "Hit",
    "IndexMismatchError",
    "IndexStats",
    "IngestOptions",
    "IngestReport",
    "KimiReranker",
    "LanceEngine",
    "LangChainEngine",
    "LocalEmbeddings",
    "MilvusEngine",
    "NemotronEmbeddings",
    "NemotronReranker",
    "PictureEmbeddings",
    "RagError",
    "Region",
    "RerankError",
    "Reranker",
    "Scope",
    "SqliteStore",
    "StaleFileError",
    "Store",
    "Unit",
    "UnreadableFileError",
    "UnsupportedFileError",
    "VectorEngine",
    "Weights",
    "picture_of",
]
