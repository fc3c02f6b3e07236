"""A corpus: takes folders in, finds pages, regions and seconds."""

from __future__ import annotations

from pathlib import Path

from langchain_core.embeddings import Embeddings
from PIL import Image

from langchain_kimi.rag.index.records import DocumentRecord, Filter, IndexStats
from langchain_kimi.rag.index.sqlite import SqliteStore
from langchain_kimi.rag.index.store import Store
from langchain_kimi.rag.ingest.folder import FolderIngest, IngestOptions, Progress
from langchain_kimi.rag.ingest.ocr import OcrChoice, OcrEngine, open_ocr
from langchain_kimi.rag.ingest.parse import ParseSettings
from langchain_kimi.rag.ingest.report import IngestReport
from langchain_kimi.rag.rerank.reranker import Reranker
from langchain_kimi.rag.retrieve.by_picture import words_in
from langchain_kimi.rag.retrieve.search import Found, Searcher
from langchain_kimi.rag.retrieve.weights import Weights


class Corpus:
    """Documents, pictures and videos that can be searched.

    Several processes may use the same folder at once.

    Example:
        .. code-block:: python

            corpus = Corpus(".kimi-corpus")
            print(corpus.ingest("reports").summary())
            for found in corpus.search("How did revenue develop in 2021?", k=5):
                print(found.place, found.regions[0].box)
    """

    def __init__(
        self,
        folder: Path | str,
        *,
        namespace: str = "default",
        store: Store | None = None,
        embeddings: Embeddings | None = None,
        embedding_name: str = "",
        ocr: OcrChoice = "auto",
        weights: Weights | None = None,
        reranker: Reranker | None = None,
        rerank_depth: int = 30,
    ) -> None:
        """Open a corpus; nothing is read or written before the first call.

        Args:
            folder: Where the index and the cache of OCR are kept.
            namespace: The tenant: no call reaches the documents of another one.
            store: An engine other than the embedded one.
            embeddings: A LangChain embedding model, for dense search beside the full text.
            embedding_name: Its name, stored with the index; by default its `model` attribute.
            ocr: `"auto"`, `"tesseract"`, `"rapidocr"` or `"none"`.
            weights: How much each sign of a match counts.
            reranker: Puts the best pages in a better order: a `KimiReranker`, `NemotronReranker`,
                `CompressorReranker`, or a function of a question and pages.
            rerank_depth: How many pages it is given.

        Raises:
            ValueError: If the namespace is empty.
        """
        if not namespace:
            msg = "the namespace is empty: pass the tenant's name, or leave it out"
            raise ValueError(msg)
        self.folder = Path(folder)
        self.namespace = namespace
        self.store: Store = store or SqliteStore(self.folder / "index.sqlite")
        self.embeddings = embeddings
        self._embedding_name = embedding_name
        self._checked = False
        self._settings = ParseSettings(ocr=ocr, cache=self.folder / "ocr")
        self._weights = weights
        self._reranker = reranker
        self._rerank_depth = rerank_depth

    def ingest(
        self,
        source: Path | str,
        *,
        options: IngestOptions | None = None,
        progress: Progress | None = None,
    ) -> IngestReport:
        """Bring the index up to date with a folder, or add a single file.

        Files whose content is unchanged are left alone, changed ones replace their old entries
        in one step, those of deleted files leave. A file that fails never stops the rest.

        Raises:
            FileNotFoundError: If there is no such folder or file.
            ValueError: If the OCR engine that was asked for is not installed.
            IndexMismatchError: If the index was made with another embedding model.
        """
        open_ocr(self._settings.ocr)
        self._check_embedding()
        run = FolderIngest(
            self.store,
            self.namespace,
            self._settings,
            options or IngestOptions(),
            self.embeddings,
            skip=(self.folder,),
        )
        return run.run(Path(source), progress)

    def search(
        self,
        question: str = "",
        *,
        picture: Image.Image | None = None,
        k: int = 10,
        where: Filter | None = None,
        rerank: bool = True,
    ) -> list[Found]:
        """Return the `k` pages or scenes that fit a question best.

        Args:
            question: What is looked for.
            picture: Looked for as well, or alone: by the words that OCR reads in it and, with an
                embedding model that sees pictures, by its looks.
            k: How many.
            where: Conditions that each page meets.
            rerank: Whether the reranker, where there is one, has the last word.

        Raises:
            IndexMismatchError: If the index was made with another embedding model.
        """
        self._check_embedding()
        asked = question
        if picture is not None:
            asked = f"{question}\n{words_in(picture, self.ocr_engine())}".strip()
        searcher = Searcher(self.store, self.namespace, self._weights, self.embeddings)
        reranker = self._reranker if rerank else None
        depth = k if reranker is None else max(k, self._rerank_depth)
        found = searcher.search(asked, k=depth if k > 0 else k, where=where, picture=picture)
        if reranker is None or len(found) < 2:
            return found
        given = () if picture is None else (picture,)
        return list(reranker(asked, found, *given))[:k]

    @property
    def reranker(self) -> Reranker | None:
        """Return what puts the best pages in a better order, None when nothing does."""
        return self._reranker

    def documents(self) -> list[DocumentRecord]:
        """Return the documents, by path."""
        return self.store.documents(self.namespace)

    def stats(self) -> IndexStats:
        """Count what the corpus holds."""
        return self.store.stats(self.namespace)

    def ocr_engine(self) -> OcrEngine | None:
        """Return the engine that reads pictures, None when there is none.

        Raises:
            ValueError: If the engine that was asked for is not installed.
        """
        return open_ocr(self._settings.ocr, cache=self._settings.cache)

    def close(self) -> None:
        """Free what is open."""
        self.store.close()

    def _check_embedding(self) -> None:
        if self.embeddings is None or self._checked:
            return
        name = self._embedding_name or str(
            getattr(self.embeddings, "model", type(self.embeddings).__name__)
        )
        self.store.set_embedding(name, len(self.embeddings.embed_query("dimension")))
        self._checked = True
