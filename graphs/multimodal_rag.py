"""Answers from documents, pictures and videos, for LangGraph Server and Studio."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from langchain_kimi.agents.served import ModelChoice, chosen_model
from langchain_kimi.rag import Corpus
from langchain_kimi.rag.answer import EvidenceBudget, create_multimodal_rag
from langchain_kimi.rag.settings import open_corpus
from langchain_kimi.server.namespaces import served_namespace

BASE = Path(__file__).resolve().parents[1]
"""The folder below which the indexes lie."""
MOST_EVIDENCE = 240_000
"""Tokens that leave room for question and answer in Kimi's window of 262,144."""


@dataclass(frozen=True, kw_only=True)
class Context(ModelChoice):
    """What a caller may choose for a run."""

    corpus: str = field(
        default=".kimi-corpus",
        metadata={
            "description": "Folder of the index, below the server's own; `langchain-kimi ingest` "
            "makes one."
        },
    )
    namespace: str = field(
        default="default",
        metadata={
            "description": "Tenant whose documents are read. With authentication on, only the "
            "caller's own; default is the first of them."
        },
    )
    evidence_tokens: int = field(
        default=96_000,
        metadata={
            "description": "Tokens of pages, crops and frames before the model, up to 240,000."
        },
    )
    visual_tokens: int | None = field(
        default=None,
        metadata={"description": "At most this many of them for pictures; 0 sends text alone."},
    )


@lru_cache(maxsize=32)
def _opened(folder: Path, namespace: str) -> Corpus:
    return open_corpus(folder, namespace=namespace)


def _corpus(context: Context | None) -> Corpus:
    chosen = context or Context()
    folder = (BASE / chosen.corpus).resolve()
    if not folder.is_relative_to(BASE) or not (folder / "index.sqlite").is_file():
        msg = (
            f"corpus={chosen.corpus!r} holds no index below the server's folder; "
            "`langchain-kimi ingest FOLDER` makes one"
        )
        raise ValueError(msg)
    return _opened(folder, served_namespace(chosen.namespace))


def _budget(context: Context | None) -> EvidenceBudget:
    chosen = context or Context()
    if chosen.evidence_tokens > MOST_EVIDENCE:
        msg = f"evidence_tokens={chosen.evidence_tokens}: at most {MOST_EVIDENCE:,} fit the window"
        raise ValueError(msg)
    return EvidenceBudget(tokens=chosen.evidence_tokens, visual=chosen.visual_tokens)


graph = create_multimodal_rag(
    _corpus,
    chosen_model,
    budget=_budget,
    context_schema=Context,
    name="multimodal_rag",
)
