"""Answers from a corpus: seen, cited, and checked by code."""

from langchain_kimi.rag.answer.budget import EvidenceBudget
from langchain_kimi.rag.answer.events import RagEvent
from langchain_kimi.rag.answer.graph import create_multimodal_rag
from langchain_kimi.rag.answer.pack import Packed, Slot, pack
from langchain_kimi.rag.answer.result import Answer, Citation, Claim, DroppedQuote, Searched, Usage
from langchain_kimi.rag.answer.tools import rag_tools

__all__ = [
    "Answer",
    "Citation",
    "Claim",
    "DroppedQuote",
    "EvidenceBudget",
    "Packed",
    "RagEvent",
    "Searched",
    "Slot",
    "Usage",
    "create_multimodal_rag",
    "pack",
    "rag_tools",
]
