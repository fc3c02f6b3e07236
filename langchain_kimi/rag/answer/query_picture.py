"""A picture as the question."""

from __future__ import annotations

from langchain_core.messages import BaseMessage
from PIL import Image

from langchain_kimi.content.pictures import pictures_in

_MOST = 4


def query_pictures(message: BaseMessage) -> list[Image.Image]:
    """Return the pictures that are searched for: the first few of a message.

    Raises:
        KimiInvalidInputError: A picture is damaged or of no known type.
    """
    return list(pictures_in(message))[:_MOST]
