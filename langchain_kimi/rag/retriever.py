"""A corpus as a LangChain retriever."""

from __future__ import annotations

from dataclasses import asdict

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.index.records import Filter
from langchain_kimi.rag.retrieve.search import Found


class CorpusRetriever(BaseRetriever):
    """Returns pages and scenes as documents; their metadata say where they came from."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    corpus: Corpus
    k: int = Field(default=5, ge=1)
    """Pages to return."""
    where: Filter = Filter()
    """Conditions that each page meets."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [
            to_document(found) for found in self.corpus.search(query, k=self.k, where=self.where)
        ]


def to_document(found: Found) -> Document:
    """Return a found page as a document with its place, boxes and score as metadata."""
    return Document(
        id=f"{found.document.id}:{found.page}",
        page_content=found.text,
        metadata={
            "source": found.document.path,
            "sha256": found.document.sha256,
            "page": found.page,
            "label": found.label,
            "start": found.start,
            "end": found.end,
            "score": found.score,
            "place": found.place,
            "regions": [asdict(region) for region in found.regions],
        },
    )
