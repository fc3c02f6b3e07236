"""Vectors of the units of a document."""

from __future__ import annotations

from collections.abc import Sequence

from langchain_core.embeddings import Embeddings

from langchain_kimi.rag.embeddings.pictures import PictureEmbeddings
from langchain_kimi.rag.errors import UnsupportedFileError
from langchain_kimi.rag.index.records import DocumentRecord, Unit
from langchain_kimi.rag.index.store import Vector

_TEXTS = 64
_PICTURES = 8
_DPI = 100.0


def embed_units(
    embeddings: Embeddings | None, units: Sequence[Unit], document: DocumentRecord
) -> list[Vector | None] | None:
    """Embed the chunks by their text and, where the model sees, the pages by their pictures.

    Other units, and those without text or picture, have no vector.
    """
    if embeddings is None:
        return None
    vectors: list[Vector | None] = [None] * len(units)
    wanted = [
        index for index, unit in enumerate(units) if unit.level == "chunk" and unit.text.strip()
    ]
    for start in range(0, len(wanted), _TEXTS):
        batch = wanted[start : start + _TEXTS]
        texts = [passage(units[index]) for index in batch]
        for index, vector in zip(batch, embeddings.embed_documents(texts), strict=True):
            vectors[index] = vector
    if isinstance(embeddings, PictureEmbeddings):
        _embed_pages(embeddings, units, document, vectors)
    return vectors


def _embed_pages(
    embeddings: PictureEmbeddings,
    units: Sequence[Unit],
    document: DocumentRecord,
    vectors: list[Vector | None],
) -> None:
    from langchain_kimi.rag.pictures import picture_of
    from langchain_kimi.rag.retrieve.search import found_page

    pages = [index for index, unit in enumerate(units) if unit.level == "page"]
    for start in range(0, len(pages), _PICTURES):
        batch = pages[start : start + _PICTURES]
        try:
            pictures = [picture_of(found_page(units[index], document), dpi=_DPI) for index in batch]
        except UnsupportedFileError:
            return  # text has no pictures
        for index, vector in zip(batch, embeddings.embed_pictures(pictures), strict=True):
            vectors[index] = vector


def passage(unit: Unit) -> str:
    """Return the text of a chunk as it is embedded: under its headings and caption."""
    return "\n".join(filter(None, [" > ".join(unit.headings), unit.caption, unit.text]))
