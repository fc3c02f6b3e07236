"""A picture as the question."""

from __future__ import annotations

from collections.abc import Iterator

from langchain_core.messages import BaseMessage
from PIL import Image

from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.content.pictures import open_picture

_MOST = 4


def pictures_in(message: BaseMessage) -> list[Image.Image]:
    """Return the pictures of a message; a link is the endpoint's to fetch and gives none.

    Raises:
        KimiInvalidInputError: A picture is damaged or of no known type.
    """
    return list(_pictures(message))[:_MOST]


def _pictures(message: BaseMessage) -> Iterator[Image.Image]:
    for block in message.content if isinstance(message.content, list) else ():
        media = read_media_block(block) if isinstance(block, dict) else None
        data = media.decode() if media is not None and media.kind == "image" else None
        if data is not None and media is not None:
            yield open_picture(data, media.name).convert("RGB")
