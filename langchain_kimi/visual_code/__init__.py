"""Visual to code: a mock-up picture in, a web page out, rendered, compared and improved."""

from langchain_kimi.visual_code.browser import Browser, BrowserError
from langchain_kimi.visual_code.graph import create_visual_to_code
from langchain_kimi.visual_code.likeness import likeness
from langchain_kimi.visual_code.result import Attempt, VisualCode

__all__ = [
    "Attempt",
    "Browser",
    "BrowserError",
    "VisualCode",
    "create_visual_to_code",
    "likeness",
]
