"""Kimi from LangChain."""

from langchain_kimi._version import __version__

__all__ = ["__version__"]
