"""The command line: `langchain-kimi`."""

from langchain_kimi.cli.app import app

__all__ = ["app"]
