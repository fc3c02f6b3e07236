"""Pictures as message blocks: checked, upright, at the size the model sees, small."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any, cast

from langchain_kimi.content.blocks import read_media_block
from langchain_kimi.content.cache import Cache, Encoded
from langchain_kimi.content.cost import fitted_size
from langchain_kimi.content.encoding import encode, flattened
from langchain_kimi.content.headers import picture_size
from langchain_kimi.content.limits import MediaLimits
from langchain_kimi.content.sniff import sniff
from langchain_kimi.content.sources import link, read_bytes, require
from langchain_kimi.errors import KimiInvalidInputError

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from PIL.Image import Image

__all__ = [
    "CACHE",
    "as_pillow",
    "image",
    "open_picture",
    "picture_block",
    "pictures_in",
    "prepare",
    "scaled",
]

CACHE = Cache(64_000_000)
"""Prepared pictures by content and limits, for the whole process."""

_PILLOW_FORMATS = {
    "image/png": ("PNG",),
    "image/jpeg": ("JPEG", "MPO"),
    "image/gif": ("GIF",),
    "image/webp": ("WEBP",),
    "image/bmp": ("BMP",),
    "image/tiff": ("TIFF",),
    "image/avif": ("AVIF",),
    "image/jp2": ("JPEG2000",),
    "image/x-icon": ("ICO",),
}
_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
_PILLOW_WARNS_ABOVE = 80_000_000
_DEFAULT = MediaLimits()
_FAULTS = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError,
    struct.error, Warning,
)  # fmt: skip
"""What Pillow raises for files that are not what they say; warnings where they are errors."""


def image(
    source: str | os.PathLike[str] | bytes | Image | None = None,
    *,
    url: str | None = None,
    file_id: str | None = None,
    limits: MediaLimits = _DEFAULT,
    name: str | None = None,
    pinned: bool = False,
) -> dict[str, Any]:
    """Return a picture as a content block of a message.

    The type is read from the bytes. The picture is turned as its EXIF data say, laid on white
    where it is transparent, scaled down to what the vision encoder uses, and encoded under the
    limits: PNG for text, charts and screens, JPEG for photographs. One that is fine already is
    sent as it is. Equal pictures are prepared once.

    Args:
        source: A path, the bytes, or a Pillow image.
        url: Instead of a source: a link that the server fetches, unread and unchecked.
        file_id: Instead of a source: an uploaded file (Moonshot) or asset (NVIDIA).
        limits: Size, bytes and formats.
        name: What error messages and stubs call it; by default the file's name.
        pinned: Whether trimming a conversation must keep it.

    Raises:
        KimiInvalidInputError: It is no picture, is damaged, or is too large to decode.
        ImportError: Pillow is not installed.
    """
    linked = link("image", source, url, file_id)
    if linked is not None:
        return _block(linked, name=name, pinned=pinned)
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview):
        data, found = read_bytes(source, kind="image", most=limits.max_source_bytes)
        name = name or found
        key: Hashable = (hashlib.blake2b(data, digest_size=16).digest(), limits)
        encoded = CACHE.get(key) or prepare(data, limits, name=name)
    else:
        key, encoded = _from_pillow(as_pillow(source), limits, name)
    CACHE.put(key, encoded)
    return picture_block(encoded, name=name, pinned=pinned)


def picture_block(
    encoded: Encoded, *, name: str | None = None, pinned: bool = False
) -> dict[str, Any]:
    """Return a prepared picture as a content block.

    Args:
        encoded: The picture.
        name: What error messages and stubs call it.
        pinned: Whether trimming a conversation must keep it.
    """
    held = {"base64": encoded.base64, "mime_type": encoded.mime_type}
    return _block(held, name=name, pinned=pinned)


def pictures_in(message: BaseMessage) -> Iterator[Image]:
    """Yield the pictures of a message in RGB, as the model gets them: upright, on white, scaled.

    A link is the endpoint's to fetch and gives none.

    Raises:
        KimiInvalidInputError: A picture is damaged, of no known type, or too large to decode.
    """
    for block in message.content if isinstance(message.content, list) else ():
        media = read_media_block(block) if isinstance(block, dict) else None
        data = media.decode() if media is not None and media.kind == "image" else None
        if data is not None and media is not None:
            sent = prepare(data, _DEFAULT, name=media.name)
            yield open_picture(sent.data, media.name).convert("RGB")


def prepare(data: bytes, limits: MediaLimits, *, name: str | None = None) -> Encoded:
    """Check a picture and bring it into the form in which it is sent.

    Args:
        data: The file's bytes.
        limits: Size, bytes and formats.
        name: The file's name, for error messages.

    Raises:
        KimiInvalidInputError: It is no picture, is damaged, or is too large to decode.
    """
    mime_type = sniff(data)
    _check_size(picture_size(data), limits, name)
    try:
        picture = open_picture(data, name)
        size = picture.size
        _check_size(size, limits, name)
        target = _target(size, limits)
        if mime_type and size == target and _is_fine(picture, data, mime_type, limits):
            # to decode an eighth of a JPEG reads all of it, and shows whether it is whole
            picture.draft("L", (max(1, size[0] // 8), max(1, size[1] // 8)))
            picture.load()
            return Encoded(data, mime_type, *size)
        picture.draft(None, target)
        turn = _turn(picture)
        return encode(_turned(scaled(picture, limits), turn), limits)
    except KimiInvalidInputError:
        raise
    except _FAULTS as error:
        msg = f"the picture {_called(name)}is damaged or cut off: {error}"
        raise KimiInvalidInputError(msg) from error


def open_picture(data: bytes, name: str | None = None) -> Image:
    """Open a picture without decoding it.

    Args:
        data: The file's bytes.
        name: The file's name, for error messages.

    Raises:
        KimiInvalidInputError: It is no picture that is known.
    """
    pillow = require("PIL.Image")
    mime_type = sniff(data)
    formats = _PILLOW_FORMATS.get(mime_type or "")
    if formats is None:
        kind = mime_type or "of no known type"
        msg = f"{_called(name) or 'the data '}is {kind}; a picture is PNG, JPEG, GIF, WebP or TIFF"
        raise KimiInvalidInputError(msg)
    size = picture_size(data)
    try:
        if size is not None and size[0] * size[1] < _PILLOW_WARNS_ABOVE:
            return cast("Image", pillow.open(io.BytesIO(data), formats=formats))
        # the size is checked against the limits as soon as it is known
        return _open_quietly(pillow, data, formats)
    except UserWarning:  # where warnings are errors: EXIF data that cannot be read
        return _open_quietly(pillow, data, formats)
    except pillow.DecompressionBombError as error:
        msg = f"the picture {_called(name)}is too large to decode: {error}"
        raise KimiInvalidInputError(msg) from error
    except pillow.UnidentifiedImageError as error:  # its text shows an address in memory
        msg = f"the picture {_called(name)}is damaged or cut off: its header cannot be read"
        raise KimiInvalidInputError(msg) from error
    except _FAULTS as error:
        msg = f"the picture {_called(name)}is damaged or cut off: {error}"
        raise KimiInvalidInputError(msg) from error


def _open_quietly(pillow: Any, data: bytes, formats: tuple[str, ...]) -> Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pillow.DecompressionBombWarning)
        warnings.simplefilter("ignore", UserWarning)
        return cast("Image", pillow.open(io.BytesIO(data), formats=formats))


def scaled(picture: Image, limits: MediaLimits) -> Image:
    """Scale a picture down to what is sent of it; never up.

    Args:
        picture: In any mode.
        limits: The longest edge.
    """
    target = _target(picture.size, limits)
    if target == picture.size:
        return picture
    if picture.mode not in ("RGB", "L", "RGBA"):
        clear = picture.has_transparency_data
        picture = picture.convert("RGBA") if clear else flattened(picture)
    lanczos = require("PIL.Image").Resampling.LANCZOS
    return picture.resize(target, resample=lanczos, reducing_gap=2.0)


def as_pillow(source: object) -> Image:
    """Return the source as the Pillow image that it has to be.

    Raises:
        KimiInvalidInputError: It is none.
    """
    pillow = require("PIL.Image")
    if not isinstance(source, pillow.Image):
        msg = f"image() takes a path, bytes or a Pillow image; it got {type(source).__name__}"
        raise KimiInvalidInputError(msg)
    picture: Image = source
    return picture


def _from_pillow(picture: Image, limits: MediaLimits, name: str | None) -> tuple[Hashable, Encoded]:
    _check_size(picture.size, limits, name)
    try:
        pixels = hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
        turn = _turn(picture)
        key = (picture.mode, picture.size, pixels, turn, limits)
        made = CACHE.get(key) or encode(_turned(scaled(picture, limits), turn), limits)
    except _FAULTS as error:
        msg = f"the picture {_called(name)}cannot be read: {error}"
        raise KimiInvalidInputError(msg) from error
    return key, made


def _block(held: dict[str, str], *, name: str | None, pinned: bool) -> dict[str, Any]:
    extras = ({"name": name} if name else {}) | ({"pinned": True} if pinned else {})
    return {"type": "image", **held, **({"extras": extras} if extras else {})}


def _check_size(size: tuple[int, int] | None, limits: MediaLimits, name: str | None) -> None:
    if size is None:
        return
    width, height = size
    if width * height > limits.max_pixels:
        msg = (
            f"the picture {_called(name)}has {width}x{height} pixels; at most "
            f"{limits.max_pixels:,} are decoded. Scale it down, or raise MediaLimits.max_pixels"
        )
        raise KimiInvalidInputError(msg)


def _is_fine(picture: Image, data: bytes, mime_type: str, limits: MediaLimits) -> bool:
    """Tell whether a picture of the right size can be sent as it is."""
    return (
        mime_type in limits.formats
        and len(data) <= limits.max_bytes
        and picture.mode in ("RGB", "L", "1", "P")
        and not picture.has_transparency_data
        and not getattr(picture, "is_animated", False)
        and _turn(picture) is None
    )


def _turn(picture: Image) -> str | None:
    if picture.format == "PNG":
        picture.load()  # as getexif does; whether the pixels are whole is another question
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except _FAULTS:  # the picture may be whole all the same
        return None


def _turned(picture: Image, turn: str | None) -> Image:
    if turn is None:
        return picture
    return picture.transpose(require("PIL.Image").Transpose[turn])


def _target(size: tuple[int, int], limits: MediaLimits) -> tuple[int, int]:
    width, height = fitted_size(*size)
    scale = min(1.0, limits.longest_edge / max(width, height))
    return max(1, int(width * scale)), max(1, int(height * scale))


def _called(name: str | None) -> str:
    return f"{name} " if name else ""
