"""What media cost in tokens, before they are sent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.content.cost import picture_tokens, video_tokens
from langchain_kimi.content.counting import media_tokens
from langchain_kimi.content.footage import opened
from langchain_kimi.content.headers import picture_size
from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.content.pictures import as_pillow, open_picture
from langchain_kimi.content.sniff import HEAD, sniff
from langchain_kimi.content.sources import local_path, read_bytes
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["visual_tokens"]

_LIMITS = MediaLimits()


def visual_tokens(
    media: tuple[int, int]
    | str
    | os.PathLike[str]
    | bytes
    | Image
    | Mapping[str, Any]
    | Sequence[Mapping[str, Any]],
) -> int:
    """Return how many tokens a picture or film costs, its marks and times in text not counted.

    Exact for pictures (a 640x480 one costs 414). A film costs what it does where the endpoint takes
    films, at two frames a second; of sampled frames, ask with the blocks that `video` made. A block
    that only points to a picture counts 2,000, one with a film 30,000.

    Args:
        media: Width and height; a path, bytes or Pillow image; a content block or a list of them.

    Raises:
        KimiInvalidInputError: It is neither picture nor film.
    """
    if isinstance(media, Mapping):
        return _of_block(media)
    if isinstance(media, str | os.PathLike | bytes):
        return _of_file(media)
    if isinstance(media, tuple) and all(isinstance(side, int) for side in media):
        width, height = media
        return picture_tokens(width, height)
    if isinstance(media, Sequence):
        return sum(map(_of_block, media))
    return picture_tokens(*as_pillow(media).size)


def _of_block(block: Any) -> int:
    found = read_media_block(block)
    return 0 if found is None or found.kind not in ("image", "video") else media_tokens(found)


def _of_file(source: str | os.PathLike[str] | bytes) -> int:
    if isinstance(source, str | os.PathLike):
        with local_path(source, kind="visual_tokens").open("rb") as file:
            head = file.read(HEAD)
    else:
        head = source[:HEAD]
    kind = sniff(head) or "of no known type"
    if kind.startswith("image/"):
        data, name = read_bytes(source, kind="visual_tokens", most=_LIMITS.max_source_bytes)
        return picture_tokens(*(picture_size(data) or open_picture(data, name).size))
    if kind.startswith("video/"):
        with opened(source, max_pixels=_LIMITS.max_pixels) as footage:
            return video_tokens(footage.width, footage.height, footage.length())
    msg = f"visual_tokens() takes pictures and films; this is {kind}"
    raise KimiInvalidInputError(msg)
