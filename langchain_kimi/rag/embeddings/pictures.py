"""Embeddings that put pictures into the same space as texts."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from PIL import Image

_QUALITY = 75
_SIDE = 1_280


@runtime_checkable
class PictureEmbeddings(Protocol):
    """What an embedding model has when it sees pictures too."""

    def embed_pictures(self, pictures: Sequence[Image.Image]) -> list[list[float]]:
        """Embed pictures, of pages as well as of questions."""


def data_url(picture: Image.Image) -> str:
    """Return a picture as a JPEG data URL, small enough to be sent inline.

    NVIDIA's functions take some 200 KB inline; a page of text at this size mostly stays below.
    """
    small = picture.convert("RGB")
    small.thumbnail((_SIDE, _SIDE), Image.Resampling.BOX)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
