"""Any LangChain document compressor as a reranker."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.documents import Document
from langchain_core.documents.compressor import BaseDocumentCompressor
from PIL import Image

from langchain_kimi.rag.embeddings.pictures import data_url
from langchain_kimi.rag.rerank.reranker import excerpt, page_picture
from langchain_kimi.rag.retrieve.search import Found


class CompressorReranker:
    """Hands pages to a compressor and takes its choice and order.

    Args:
        compressor: Such as `NVIDIARerank(top_n=50)`; pages that it drops are dropped.
        pictures: Whether `metadata["image"]` holds the page as a data URL, which `NVIDIARerank`
            sends with a model that sees.
    """

    def __init__(self, compressor: BaseDocumentCompressor, *, pictures: bool = False) -> None:
        self._compressor = compressor
        self._pictures = pictures

    def __call__(
        self, question: str, pages: Sequence[Found], picture: Image.Image | None = None, /
    ) -> list[Found]:
        """Return the pages that the compressor kept, in its order."""
        documents = [self._document(place, page) for place, page in enumerate(pages)]
        kept = self._compressor.compress_documents(documents, question)
        places = dict.fromkeys(document.metadata["place_in_list"] for document in kept)
        return [pages[place] for place in places]

    def _document(self, place: int, page: Found) -> Document:
        metadata = {"place_in_list": place, "source": page.document.path, "page": page.page}
        drawn = page_picture(page) if self._pictures else None
        if drawn is not None:
            metadata["image"] = data_url(drawn)
        return Document(page_content=excerpt(page), metadata=metadata)
