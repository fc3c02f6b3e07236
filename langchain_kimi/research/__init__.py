"""Research over documents: a background agent whose sub-agents answer from a corpus."""

from langchain_kimi.research.agent import create_research_agent
from langchain_kimi.research.findings import Findings
from langchain_kimi.research.merge import merge
from langchain_kimi.research.report import research_report

__all__ = ["Findings", "create_research_agent", "merge", "research_report"]
