"""Pictures as an endpoint takes them: as they are where they are fine, else prepared once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_kimi.content.headers import picture_size
from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.content.pictures import CACHE, picture_block, prepare
from langchain_kimi.content.sniff import sniff
from langchain_kimi.delivery.payload import digest, payload, to_bytes
from langchain_kimi.delivery.recent import Recent

if TYPE_CHECKING:
    from langchain_kimi.content.blocks import Media
    from langchain_kimi.endpoints import Endpoint

__all__ = ["FINE", "picture"]

FINE: Recent[bool] = Recent(8_192)
"""Pictures that were looked at and are sent as they are, for the whole process."""


def picture(media: Media, endpoint: Endpoint) -> dict[str, Any] | None:
    """Bring a picture into a form that the endpoint takes.

    It is turned as its EXIF data say, scaled and encoded anew only where `content.image` would:
    where its type, size, bytes or transparency are not what the endpoint takes. Prepared pictures
    are cached by their content. Without Pillow a picture within the limits goes as it is.

    Args:
        media: A picture with its bytes.
        endpoint: Its formats hold.

    Returns:
        The block to send, or None where the caller's is fine.

    Raises:
        KimiInvalidInputError: It is no picture, is damaged, or is too large to decode.
        ImportError: It would have to be prepared, and Pillow is not installed.
    """
    text = payload(media) or ""
    limits = MediaLimits(formats=endpoint.picture_formats)
    key = ("delivered", digest(text), limits)
    if FINE.get(key):
        return None
    made = CACHE.get(key)
    if made is None:
        data = to_bytes(text)
        try:
            made = prepare(data, limits, name=media.name)
        except ImportError:
            if not _is_within(data, limits):
                raise
            FINE.put(key, value=True)
            return None
        if made.data is data:
            FINE.put(key, value=True)
            return None
        CACHE.put(key, made)
    return picture_block(made, name=media.name)


def _is_within(data: bytes, limits: MediaLimits) -> bool:
    """Tell from the header alone whether a picture may be sent."""
    size = picture_size(data)
    return (
        size is not None
        and max(size) <= limits.longest_edge
        and len(data) <= limits.max_bytes
        and sniff(data) in limits.formats
    )
