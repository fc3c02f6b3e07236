"""A corpus as the environment sets it up, for the command line and served graphs alike.

`KIMI_EMBEDDINGS` names an embedding model for dense search beside the full text: `nvidia`, or one
of `LocalEmbeddings`. `KIMI_MILVUS_URI` puts the vectors into Milvus, with `KIMI_MILVUS_TOKEN`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast, get_args

from langchain_core.embeddings import Embeddings

from langchain_kimi.errors import KimiAuthenticationError
from langchain_kimi.rag.corpus import Corpus
from langchain_kimi.rag.embeddings.local import LocalEmbeddings, LocalModel
from langchain_kimi.rag.embeddings.nvidia import NemotronEmbeddings
from langchain_kimi.rag.index.engine_store import EngineStore
from langchain_kimi.rag.index.milvus import MilvusEngine
from langchain_kimi.rag.index.store import Store

EMBEDDINGS = "KIMI_EMBEDDINGS"
MILVUS = "KIMI_MILVUS_URI"
MILVUS_TOKEN = "KIMI_MILVUS_TOKEN"  # noqa: S105 - the variable's name
CATALOGUE = "index.sqlite"
_NVIDIA = "nvidia"


def open_corpus(folder: Path | str, **options: Any) -> Corpus:
    """Open a corpus with the embedding model and the engine that the environment names.

    Args:
        folder: Where the index is, or with Milvus its catalogue.
        options: As for `Corpus`.

    Raises:
        ValueError: When the environment names no known model, NVIDIA's without a key, or Milvus
            without a model.
    """
    embeddings = _embeddings()
    store = _store(Path(folder), embeddings)
    return Corpus(folder, embeddings=embeddings, store=store, **options)


def _embeddings() -> Embeddings | None:
    name = os.environ.get(EMBEDDINGS)
    if not name:
        return None
    if name == _NVIDIA:
        try:
            return NemotronEmbeddings()
        except KimiAuthenticationError as error:
            raise ValueError(str(error)) from None
    if name not in get_args(LocalModel):
        known = ", ".join((_NVIDIA, *get_args(LocalModel)))
        msg = f"{EMBEDDINGS}={name!r} is no model; known are {known}."
        raise ValueError(msg)
    return LocalEmbeddings(cast("LocalModel", name))


def _store(folder: Path, embeddings: Embeddings | None) -> Store | None:
    uri = os.environ.get(MILVUS)
    if not uri:
        return None
    if embeddings is None:
        msg = f"{MILVUS} is set and {EMBEDDINGS} is not: without a model there are no vectors."
        raise ValueError(msg)
    engine = MilvusEngine(uri, token=os.environ.get(MILVUS_TOKEN, ""))
    return EngineStore(folder / CATALOGUE, engine)
