"""What can go wrong with working copies."""

from langchain_core.tools import ToolException


class CodingError(ToolException):
    """Git, or a working copy, did not do what was asked. A model reads it as a tool's error."""
