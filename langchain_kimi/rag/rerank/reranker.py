"""What a reranker is, and how pages are shown to one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from PIL import Image

from langchain_kimi.rag.errors import StaleFileError, UnsupportedFileError
from langchain_kimi.rag.pictures import picture_of
from langchain_kimi.rag.retrieve.search import Found

DPI = 72.0
_EXCERPT = 1_500


class Reranker(Protocol):
    """Puts pages in a better order; pages that it leaves out are left out."""

    def __call__(
        self, question: str, pages: Sequence[Found], picture: Image.Image | None = None, /
    ) -> Sequence[Found]:
        """Return pages, the best first; the words in a question's picture are in the question."""


def excerpt(page: Found, length: int = _EXCERPT) -> str:
    """Return the text of a page; of a long one, its best regions and how it begins.

    What a model wrote about a figure is left out: it is not the document.
    """
    if len(page.text) <= length:
        return page.text.strip()
    regions = [
        "\n".join(filter(None, [region.caption, region.text]))
        for region in page.regions
        if region.origin != "model" and region.text.strip()
    ]
    return "\n".join([*regions, page.text]).strip()[:length]


def page_picture(page: Found, dpi: float = DPI) -> Image.Image | None:
    """Draw a page; None when its file has no pictures or is no longer the one ingested."""
    try:
        return picture_of(page, dpi=dpi)
    except (StaleFileError, UnsupportedFileError):
        return None
